"""What `status` says of how gateways hear of revocations."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.fleet import revocation_reads as module
from jupyter_ext.fleet.calls import CallFailed
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.process_stat import ProcessStat
from jupyter_ext.fleet.revocation_reads import (
    YOUNG_SECONDS,
    reads_line,
    revocation_reads,
)
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.status import as_table

SETTINGS = Settings(gateways=2, ports={"gateway-1": 1, "gateway-2": 2})
WELL = {"read_seconds_ago": 1.4, "problem": ""}


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (WELL, "g read them 1 s ago"),
        # A lab that is replaced is no trouble yet.
        ({"read_seconds_ago": 4.0, "problem": "no lab answers"}, "g read them 4 s ago"),
        (
            {"read_seconds_ago": 61.2, "problem": "no lab answers"},
            "g has not read them for 61 s (no lab answers)",
        ),
        (
            {"read_seconds_ago": None, "problem": "no labs are configured"},
            "g never read them (no labs are configured)",
        ),
        # Labs of the version before know of none.
        ({"read_seconds_ago": None, "problem": ""}, "g never read them (no reason is known)"),
        (None, "g does not say whether it reads them"),
    ],
)
def test_a_line_says_when_each_gateway_has_read_them(
    read: dict[str, Any] | None, said: str
) -> None:
    for ages in ({}, {"g": None}, {"g": YOUNG_SECONDS}):
        assert reads_line({"g": read}, ages) == f"Revocations: {said}"
    both = reads_line({"h": WELL, "g": read}, {})
    assert both == f"Revocations: h read them 1 s ago; {said}"
    assert reads_line({}, {}) == ""


def test_a_gateway_that_has_just_started_has_no_trouble_yet() -> None:
    never = {"read_seconds_ago": None, "problem": "503 no_lab"}
    young = {"g": YOUNG_SECONDS - 1}
    said = "Revocations: g has not read them yet, because it has just started"
    assert reads_line({"g": never}, young) == said
    assert reads_line({"g": WELL}, young) == "Revocations: g read them 1 s ago"
    assert "for 61 s (x)" in reads_line({"g": {"read_seconds_ago": 61.0, "problem": "x"}}, young)


def test_the_age_of_a_process_is_known() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            stat = ProcessStat.of(process.pid)
            assert stat is not None
            assert -1 < stat.age < 50
        finally:
            process.kill()


def test_each_gateway_is_asked_and_one_that_does_not_answer_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.SecretFiles, "sign_service_token", lambda self, role: f"of {role}")

    def answer(method: str, url: str, token: str, seconds: float) -> dict[str, Any]:
        assert (method, token) == ("GET", "of gateway")
        if url == "http://127.0.0.1:1/api/fleet/revocations":
            raise CallFailed("not found", 404)
        assert url == "http://127.0.0.1:2/api/fleet/revocations"
        return WELL

    monkeypatch.setattr(module, "call", answer)
    found = revocation_reads(DataDir.at(tmp_path), SETTINGS, ["gateway-1", "gateway-2"])
    assert found == {"gateway-1": None, "gateway-2": WELL}
    assert revocation_reads(DataDir.at(tmp_path), SETTINGS, []) == {}


def test_status_has_a_line_for_gateways_that_run() -> None:
    front = {"name": "front", "state": "running", "pid": 1, "url": "u"}
    gateway = {**front, "name": "gateway-1", "draining": False, "revocations": WELL}
    stopped = {**gateway, "name": "gateway-2", "state": "stopped", "revocations": None}
    document = {"processes": [front, gateway, stopped], "kernels": {}}
    assert as_table(document, SETTINGS).split("\n\n")[1:] == [
        "Revocations: gateway-1 read them 1 s ago",
        "Kernels: none",
    ]
    unread = {**gateway, "revocations": {"read_seconds_ago": None, "problem": "no_lab"}}
    started = {"processes": [{**unread, "age_seconds": 3.0}], "kernels": {}}
    assert "gateway-1 has not read them yet" in as_table(started, SETTINGS)
