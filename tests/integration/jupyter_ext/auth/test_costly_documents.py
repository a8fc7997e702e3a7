"""Documents of a few 100 KB that would hold a lab, and a lab that goes on answering."""

import json
from typing import Any

import pytest
import requests

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

SANITIZER = "/lab/api/settings/@jupyterlab/apputils-extension:sanitizer"


def save(labs: Labs, name: str, source: str = "x", tags: Any = (), **language: str) -> None:
    cell = {"cell_type": "markdown", "id": "a", "metadata": {"tags": tags}, "source": source}
    notebook = {
        "cells": [cell],
        "metadata": {"language_info": {"name": "python", **language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    body = {"type": "file", "format": "text", "content": json.dumps(notebook)}
    url = f"{labs.urls[0]}/api/contents/demo/{name}.ipynb"
    assert labs.client().call("PUT", url, data=json.dumps(body)).status_code in (200, 201)


def test_a_notebook_with_many_odd_tags_opens(bare_labs: Labs) -> None:
    save(bare_labs, "tags", tags=[{"a": number} for number in range(30_000)])
    answer = bare_labs.client().call("GET", f"{bare_labs.urls[0]}/api/contents/demo/tags.ipynb")
    assert answer.status_code == 200
    assert "validation failed" in answer.json()["message"]


def test_settings_with_many_odd_items_are_refused(bare_labs: Labs) -> None:
    raw = json.dumps({"allowedSchemes": [{"a": number} for number in range(9000)]})
    url = bare_labs.urls[0] + SANITIZER
    answer = bare_labs.client().call("PUT", url, data=json.dumps({"raw": raw}))
    assert answer.status_code == 400


def test_a_script_is_exported_by_no_module_that_the_notebook_names(bare_labs: Labs) -> None:
    save(bare_labs, "named", nbconvert_exporter="unittest.__main__.x")
    url = f"{bare_labs.urls[0]}/nbconvert/script/demo/named.ipynb"
    answer = bare_labs.client().call("GET", url)
    assert answer.status_code == 200
    assert "sandbox allow-scripts" in answer.headers["Content-Security-Policy"]
    download = bare_labs.client().call("GET", url.replace("script", "html") + "?download=true")
    assert "named.html" in download.headers["Content-Disposition"]
    assert download.headers["Content-Type"].lower() == "text/html; charset=utf-8"


def test_a_lab_answers_while_it_exports_markdown_without_end(bare_labs: Labs) -> None:
    save(bare_labs, "endless", source="![a](" * 200_000)
    ada = bare_labs.client()
    url = f"{bare_labs.urls[0]}/nbconvert/html/demo/endless.ipynb"
    # More than there are places: a client that is gone gives its place back.
    for _ in range(3):
        with pytest.raises(requests.Timeout):
            requests.get(url, headers=ada.headers, timeout=2)
        assert ada.call("GET", f"{bare_labs.urls[0]}/api/contents/demo").status_code == 200
    save(bare_labs, "plain")
    assert ada.call("GET", url.replace("endless", "plain")).status_code == 200


def test_every_format_that_is_listed_is_exported_and_others_are_refused(bare_labs: Labs) -> None:
    save(bare_labs, "listed", source="# A title")
    ada = bare_labs.client()
    url = bare_labs.urls[0]
    listed = ada.call("GET", f"{url}/api/nbconvert").json()
    assert {"html", "markdown", "python"} <= set(listed)
    assert not {"pdf", "webpdf", "qtpdf", "qtpng", "custom"} & set(listed)
    for name in ["asciidoc", "html", "latex", "rst", "pdf", "qtpng"]:
        answer = ada.call("GET", f"{url}/nbconvert/{name}/demo/listed.ipynb")
        if name in listed:
            assert answer.status_code == 200, answer.text
        else:
            assert answer.status_code == 403
            assert "This fleet does not export notebooks as" in answer.text
