"""What `%fleet` shows."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from gateway_ext.kernel_tools import fleet_magic
from gateway_ext.kernel_tools.fleet_calls import FleetCallError
from gateway_ext.kernel_tools.fleet_magic import in_words, load_ipython_extension

DETAILS = {
    "kernel_id": "1234",
    "project": "demo",
    "path": "demo/a.ipynb",
    "username": "ada",
    "kernel_name": "python",
    "launch_options": {"cpus": 2, "image": "x:1"},
    "owner": "gateway-1",
    "epoch": 3,
    "started": "2026-01-01T11:30:15+00:00",
}


def test_each_detail_is_a_line() -> None:
    assert in_words(DETAILS).splitlines() == [
        "project       demo",
        "notebook      demo/a.ipynb",
        "started       2026-01-01T11:30:15+00:00 by ada",
        "kernel        python, 1234",
        "gateway       gateway-1, epoch 3",
        "option cpus   2",
        'option image  "x:1"',
    ]
    bare = in_words(DETAILS | {"launch_options": {}, "path": ""})
    assert bare.splitlines()[1] == "notebook  none"
    assert bare.splitlines()[-1] == "options   none"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.setenv("FLEET_SOCKET", "/tmp/calls")
    shell = InteractiveShell()
    load_ipython_extension(shell)
    return shell


def test_the_magic_prints_them_or_why_it_cannot(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fleet_magic, "launch_details", lambda: DETAILS)
    shell.run_line_magic("fleet", "")
    assert capsys.readouterr().out == in_words(DETAILS) + "\n"
    with pytest.raises(UsageError, match="takes no arguments"):
        shell.run_line_magic("fleet", "status")

    def refused() -> dict[str, Any]:
        raise FleetCallError(503, "no gateway")

    monkeypatch.setattr(fleet_magic, "launch_details", refused)
    with pytest.raises(UsageError, match="%fleet: no gateway"):
        shell.run_line_magic("fleet", "")


def test_outside_of_a_fleet_there_is_no_such_magic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEET_SOCKET", raising=False)
    shell = InteractiveShell()
    load_ipython_extension(shell)
    assert shell.find_line_magic("fleet") is None
