"""What a POST for a new kernel may contain."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from gateway_ext.kernels.handlers.new_kernel import client_environment, parse_body, parse_new_kernel
from gateway_ext.kernels.kernel_id import check_kernel_id
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity

ADA = Identity("ada", "Ada", {"demo": Role.OWNER}, None, 0.0, "t")
ID = "0d7f6a52-8a0b-4e2c-9a53-2d3f0a6f8b11"


def test_defaults() -> None:
    new = parse_new_kernel({}, ADA, "python", [])
    assert (new.kernel_name, new.project, new.path, new.username) == ("python", "demo", "", "ada")
    assert str(uuid.UUID(new.kernel_id)) == new.kernel_id


def test_what_is_asked_for() -> None:
    body = {"name": "r", "kernel_id": ID, "project": "other", "path": "other/ü.ipynb"}
    new = parse_new_kernel(body, ADA, "python", [])
    assert (new.kernel_name, new.kernel_id, new.project) == ("r", ID, "other")
    env = {"KERNEL_ID": ID, "KERNEL_PROJECT": "third", "KERNEL_USERNAME": "mallory"}
    new = parse_new_kernel({"env": env}, ADA, "python", [])
    assert (new.kernel_id, new.project, new.username) == (ID, "third", "ada")
    assert not new.by_service
    server = replace(ADA, service="lab")
    assert parse_new_kernel({"project": "other"}, server, "python", []).by_service


def test_environment_is_an_allow_list() -> None:
    asked = {"KERNEL_A": "1", "PATH": "/evil", "LD_PRELOAD": "x", "MINE": "2"}
    assert client_environment(asked, ["MINE"]) == {"KERNEL_A": "1", "MINE": "2"}
    assert client_environment(asked, ["*"]) == asked
    assert client_environment(None, []) == {}


@pytest.mark.parametrize(
    "body",
    [
        {"name": 1},
        {"kernel_id": "x"},
        {"kernel_id": ID.upper()},
        {"kernel_id": ID.replace("-", "")},
        {"project": "Demo"},
        {"project": ["demo"]},
        {"path": "x" * 4097},
        {"env": "x"},
        {"env": {"KERNEL_A": 1}},
        {"env": {"KERNEL_Run_As_Root": "true"}},
        {"env": {"KERNEL_A": "x" * 5000}},
        {"env": {"KERNEL_A=B": "x"}},
        {"env": {"KERNEL_A": "\0"}},
        {"env": {"": "x"}},
        {"env": {"KERNEL_LAUNCH_TIMEOUT": "soon"}},
        {"env": {"KERNEL_LAUNCH_TIMEOUT": "inf"}},
    ],
)
def test_bad_requests(body: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        parse_new_kernel(body, ADA, "python", ["*"])
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 40_000, 400),
        (b'{"env": ' + b'{"a": ' * 2000 + b"1" + b"}" * 2001, 400),
        (rb'{"path": "\ud800"}', 400),
        (b'{"path": "\xff"}', 400),
        ('{"path": "x"}'.encode("utf-16"), 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"path": [' + b"[]," * 100_000 + b"1]}", 413),
        (b'{"path": "' + b"x" * 1024 * 1024 + b'"}', 413),
    ],
    ids=["deep", "deep env", "surrogate", "latin", "UTF-16", "list", "cut", "many", "long"],
)
def test_bodies_that_would_hold_or_break_a_gateway_are_refused(body: bytes, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        parse_body(body)
    assert refused.value.status == status


def test_no_body_asks_for_nothing_special() -> None:
    assert parse_body(b"") == {}
    assert parse_body(b'{"path": "x"}') == {"path": "x"}


def test_kernel_ids() -> None:
    assert check_kernel_id(ID) == ID
    for bad in ("", "x", "..", ID + "/", ID.upper(), "{" + ID + "}"):
        with pytest.raises(Refusal):
            check_kernel_id(bad)
