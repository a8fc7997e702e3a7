"""What no route reads, and a lab that goes on answering."""

import json
import socket

import pytest
import requests

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

THEMES = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
WORKSPACE = "/lab/api/workspaces/auto-x"
LISTS = b"[" + b"[]," * 20_000_000 + b"[]]"
"""60 MB, and 1.5 GB for who parses them."""
BEARER = "Authorization: Bearer "
DEEP = b"[" * 2000 + b"]" * 2000


def settings(raw: str) -> bytes:
    return json.dumps({"raw": raw}).encode()


BODIES = {
    "lists": LISTS,
    "lists of 900 kB": LISTS[:900_000],
    "deep": DEEP,
    "latin-1": b'{"raw": "\xff", "path": "demo/\xff", "type": "notebook"}',
    "utf-16": b"\xff\xfe[\0]\0",
    "surrogate": rb'{"path": "\ud800", "name": "\udc00", "type": "file", "metadata": {}}',
    "long settings": settings("{" + " " * 300_000 + "}"),
    # json5 takes seconds for it, and plain JSON has no comments.
    "long json5": settings("{}" + " //" * 40_000),
    "deep settings": settings("[" * 5000 + "]" * 5000),
    "deep json5": settings("{x: " + "[" * 1000 + "]" * 1000 + "}"),
    "many options": json.dumps(
        {
            "path": "demo/a.ipynb",
            "type": "notebook",
            "launch_options": {"environment": {f"A{number}": "" for number in range(4000)}},
        }
    ).encode(),
    "surrogate in settings": settings('{"theme": "\ud800"}'),
}


@pytest.mark.parametrize(
    ("method", "path", "name", "status"),
    [
        ("PUT", THEMES, "lists", 413),
        ("PUT", THEMES, "long settings", 413),
        ("PUT", THEMES, "long json5", 400),
        ("PUT", THEMES, "deep settings", 400),
        ("PUT", THEMES, "deep json5", 400),
        ("PUT", THEMES, "surrogate in settings", 400),
        ("PUT", THEMES, "deep", 400),
        ("PUT", THEMES, "latin-1", 400),
        ("PUT", WORKSPACE, "lists", 413),
        ("PUT", WORKSPACE, "deep", 400),
        ("PUT", WORKSPACE, "surrogate", 400),
        ("POST", "/api/sessions", "lists", 413),
        ("POST", "/api/sessions", "lists of 900 kB", 413),
        ("POST", "/api/sessions", "deep", 400),
        ("POST", "/api/sessions", "surrogate", 400),
        ("POST", "/api/sessions", "latin-1", 400),
        ("POST", "/api/sessions", "many options", 400),
        ("POST", "/api/kernels", "many options", 400),
        ("POST", "/api/kernels", "lists", 413),
        ("POST", "/api/kernels", "surrogate", 400),
        ("PUT", "/api/contents/demo/a.ipynb", "lists", 413),
        ("PUT", "/api/contents/demo/a.ipynb", "deep", 400),
        ("PUT", "/api/contents/demo/a.ipynb", "surrogate", 400),
        ("PUT", "/api/contents/demo/a.ipynb", "utf-16", 400),
        ("POST", "/api/contents/demo", "lists", 413),
        ("PATCH", "/api/contents/demo/a.ipynb", "lists", 413),
        ("POST", "/login", "lists", 413),
    ],
)
def test_what_would_hold_or_break_a_lab_is_refused(
    bare_labs: Labs, method: str, path: str, name: str, status: int
) -> None:
    token = bare_labs.signer.sign("ada", {"demo": "owner"}, 3600)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url = bare_labs.urls[0]
    answer = requests.request(method, url + path, data=BODIES[name], headers=headers, timeout=60)
    assert answer.status_code == status, answer.text[:500]
    assert requests.get(f"{url}/api", timeout=60).status_code == 200


def test_strangers_are_sent_to_log_in_before_anybody_reads_what_they_send(bare_labs: Labs) -> None:
    answer = requests.put(bare_labs.urls[0] + WORKSPACE, data=DEEP, timeout=60)
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/api/contents/demo/a", "/login", "/api/fleet/revocations"])
@pytest.mark.parametrize(
    "says", ["X: y", "Cookie: a=b", f"Cookie: jupyter-fleet-session={'x' * 43}", f"{BEARER}x.y.z"]
)
def test_a_lab_reads_no_long_body_of_somebody_whom_it_does_not_know(
    bare_labs: Labs, path: str, says: str
) -> None:
    host, _, port = bare_labs.urls[0].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as stranger:
        head = f"PUT {path} HTTP/1.1\r\nHost: {host}\r\n{says}\r\nContent-Length: 60000000\r\n"
        stranger.sendall(f"{head}\r\n".encode())
        # None of it was sent.
        assert stranger.recv(100).startswith(b"HTTP/1.1 400")
    form = b"a=" + bytes(60_000)
    assert requests.post(bare_labs.urls[0] + path, data=form, timeout=30).status_code < 500


def test_who_sends_a_long_body_with_a_token_that_has_expired_is_told_so(bare_labs: Labs) -> None:
    token = bare_labs.signer.sign("ada", {"demo": "owner"}, -10)
    headers = {"Authorization": f"Bearer {token}"}
    url = bare_labs.urls[0] + "/api/contents/demo/a.txt"
    answer = requests.put(url, data=bytes(200_000), headers=headers, timeout=30)
    assert answer.status_code == 401
    assert "expired" in answer.text


def test_what_a_page_saves_is_read(bare_labs: Labs) -> None:
    ada = bare_labs.client("long")
    url = bare_labs.urls[0]
    raw = json.dumps({"overrides": {"code-font-family": "y" * 200_000}})
    assert ada.call("PUT", url + THEMES, data=settings(raw)).status_code == 204
    assert ada.call("GET", url + THEMES).json()["raw"] == raw
    layout = {"data": {"x": "y" * 900_000}, "metadata": {"id": "/auto-x"}}
    assert ada.call("PUT", url + WORKSPACE, data=json.dumps(layout)).status_code == 204
    assert (ada.call("GET", url + WORKSPACE).json()["data"] == layout["data"]) is True
    points = [[number / 7, number / 3] for number in range(60_000)]
    output = {"output_type": "display_data", "metadata": {}, "data": {"application/json": points}}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": 1, "source": ""}
    notebook = {
        "cells": [{**cell, "outputs": [output]}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    body = {"type": "notebook", "format": "json", "content": notebook}
    path = "/api/contents/demo/plot.ipynb"
    owner = bare_labs.client()
    assert owner.call("PUT", url + path, json=body).status_code in (200, 201)
    found = owner.call("GET", url + path).json()["content"]
    # Without pytest's comparison of so many numbers.
    assert (found["cells"][0]["outputs"][0]["data"]["application/json"] == points) is True


def test_only_short_answers_are_hashed(bare_labs: Labs) -> None:
    ada, url = bare_labs.client("tags"), bare_labs.urls[0]
    layout = {"data": {"x": "y" * 500_000}, "metadata": {"id": "/auto-x"}}
    assert ada.call("PUT", url + WORKSPACE, data=json.dumps(layout)).status_code == 204
    file = "/api/contents/demo/long.txt"
    body = {"type": "file", "format": "text", "content": "z" * 500_000}
    assert bare_labs.client().call("PUT", url + file, json=body).status_code in (200, 201)
    assert "Etag" not in bare_labs.client().call("GET", url + file).headers
    for path in (WORKSPACE, "/lab/api/workspaces"):
        assert "Etag" not in ada.call("GET", url + path).headers
    short = ada.call("GET", url + THEMES)
    ada.headers["If-None-Match"] = short.headers["Etag"]
    again = ada.call("GET", url + THEMES)
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/login", "/lab", "/api/contents/demo"])
def test_a_malformed_form_is_refused_without_a_traceback_in_the_log(
    bare_labs: Labs, path: str
) -> None:
    log = bare_labs.processes[0].log
    size = log.stat().st_size
    answer = requests.post(
        bare_labs.urls[0] + path, data=b"x", headers={"Content-Type": "multipart/form-data"}
    )
    assert answer.status_code == 400
    assert "multipart boundary not found" in answer.text
    told = log.read_bytes()[size:].decode()
    assert f"400 POST {path}" in told
    assert "Traceback" not in told


def test_a_big_body_that_is_not_json_is_refused_with_the_reason(bare_labs: Labs) -> None:
    url = bare_labs.urls[0] + "/api/contents/demo/broken.ipynb"
    body = b'{"type": "notebook", "content": [' + b"1," * 100_000
    answer = bare_labs.client().call("PUT", url, data=body)
    assert answer.status_code == 400
    assert "the body is not JSON" in answer.json()["message"]


def test_strangers_get_the_files_of_themes(bare_labs: Labs) -> None:
    url = bare_labs.urls[0] + "/lab/api/themes/"
    answer = requests.get(url + "@jupyterlab/theme-light-extension/index.css", timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/css"
    assert requests.get(url + "nothing.css", timeout=60).status_code == 404
