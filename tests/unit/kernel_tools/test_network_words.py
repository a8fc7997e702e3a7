"""What a kernel says of its network, and when."""

import errno
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernel_tools.network_words import (
    is_of_network,
    load_ipython_extension,
    words_about_network,
)

NONE = {"FLEET_NETWORK": "none", "FLEET_NETWORK_WHY": "pasta is missing"}


def wrapped(inner: BaseException) -> BaseException:
    try:
        raise RuntimeError("cannot read") from inner
    except RuntimeError as error:
        return error


class _Events:
    def __init__(self) -> None:
        self.hooks: list[Any] = []

    def register(self, name: str, hook: Any) -> None:
        assert name == "post_run_cell"
        self.hooks.append(hook)

    def unregister(self, name: str, hook: Any) -> None:
        self.hooks.remove(hook)


def test_a_kernel_without_a_network_says_why_and_one_with_the_machines_says_nothing() -> None:
    assert "no network (pasta is missing)" in words_about_network(NONE)
    assert "no private network" in words_about_network({"FLEET_NETWORK": "internet"})
    assert words_about_network({}) == words_about_network({"FLEET_NETWORK": "host"}) == ""


def test_where_no_name_server_answers_private_networks_are_not_blamed() -> None:
    words = words_about_network({"FLEET_NETWORK": "internet"}, unanswered=True)
    assert words.startswith("No name server answers this kernel")
    assert "private" not in words
    assert words_about_network(NONE, unanswered=True) == words_about_network(NONE)
    assert words_about_network({}, unanswered=True) == ""


def test_where_the_way_has_ended_neither_servers_nor_private_networks_are_blamed() -> None:
    for unanswered in (False, True):
        words = words_about_network({"FLEET_NETWORK": "internet"}, unanswered=unanswered, cut=True)
        assert words.startswith("This kernel has no way to the internet at the moment")
    assert words_about_network(NONE, cut=True) == words_about_network(NONE)
    assert words_about_network({}, cut=True) == ""


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        OSError(errno.ENETUNREACH, "unreachable"),
        socket.gaierror(socket.EAI_AGAIN, "no answer"),
        wrapped(OSError(errno.EHOSTUNREACH, "unreachable")),
        # As clients of HTTP hand it on.
        RuntimeError("retries", ConnectionRefusedError(errno.ECONNREFUSED, "refused")),
    ],
)
def test_errors_of_the_network_are_known(error: BaseException) -> None:
    assert is_of_network(error)


@pytest.mark.parametrize(
    "error", [None, ValueError("x"), FileNotFoundError(2, "x"), TimeoutError()]
)
def test_others_are_left_alone(error: BaseException | None) -> None:
    assert not is_of_network(error)


def test_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in NONE.items():
        monkeypatch.setenv(name, value)
    events = _Events()
    load_ipython_extension(SimpleNamespace(events=events))
    (say,) = events.hooks
    say(SimpleNamespace(error_in_exec=ValueError("x")))
    assert capsys.readouterr().err == ""
    say(SimpleNamespace(error_in_exec=OSError(errno.ENETUNREACH, "x")))
    assert "no network" in capsys.readouterr().err
    assert events.hooks == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "x"), "No name server answers"),
        (wrapped(socket.gaierror(socket.EAI_AGAIN, "x")), "No name server answers"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "no private network"),
        (OSError(errno.ENETUNREACH, "x"), "no private network"),
    ],
)
def test_a_name_that_no_server_looks_up_is_told_from_an_address_that_is_shut(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    words: str,
) -> None:
    monkeypatch.setenv("FLEET_NETWORK", "internet")
    events = _Events()
    load_ipython_extension(SimpleNamespace(events=events))
    events.hooks[0](SimpleNamespace(error_in_exec=error))
    assert words in capsys.readouterr().err
