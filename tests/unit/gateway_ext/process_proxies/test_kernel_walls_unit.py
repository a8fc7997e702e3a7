"""When kernels get walls, by what is configured and what the machine allows."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.process_proxies import kernel_walls
from gateway_ext.process_proxies.kernel_walls import KernelWalls, NoWalls
from gateway_ext.process_proxies.network_choice import NetworkChoice

REFUSED = "unshare: Operation not permitted"


def program(folder: Path, says: str, code: int = 0) -> str:
    """What runs in the place of the kernels' Python, and counts how often."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\necho once >> {folder}/runs\nprintf '{says}'\nexit {code}\n")
    file.chmod(0o755)
    return str(file)


def walls(mode: str, folder: Path, network: str = "host", shown: str = "/tmp/seen") -> KernelWalls:
    log = logging.getLogger("test-walls")
    own = NetworkChoice(network, [], "", log)
    private = ["/home/ann"]
    return KernelWalls(mode, folder / "kernels", ["/data"], [shown], own, log, private)


def refusing(folder: Path, *reaches: str) -> str:
    """What runs in the place of the kernels' Python, where these networks cannot be had."""
    file = folder / "python"
    cases = "".join(f"  *{reach}*) printf 'no {reach}';;\n" for reach in reaches)
    file.write_text(f'#!/bin/sh\ncase "$5" in\n{cases}esac\n')
    file.chmod(0o755)
    return str(file)


def test_without_the_setting_nothing_is_tried(tmp_path: Path) -> None:
    none = walls("none", tmp_path)
    assert none.document("/no/python", {}, None, tmp_path, {}) == {}


@pytest.mark.parametrize(
    ("euid", "uid", "read_only"), [(0, 200_000, False), (1000, None, True), (0, None, False)]
)
def test_without_root_kernels_change_nothing_that_their_user_runs_later(
    euid: int, uid: int | None, read_only: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = walls("auto", tmp_path)
    monkeypatch.setattr(allowed, "_probe", lambda *arguments: "")
    monkeypatch.setattr(kernel_walls.os, "geteuid", lambda: euid)
    document = allowed.document("python", {}, uid, tmp_path, {})
    assert document["walls"].get("read_only", False) is read_only
    # And see nothing of their home, also where Landlock alone hides it.
    assert ("/home/ann" in document["walls"]["hidden"]) is read_only
    monkeypatch.setattr(allowed, "_refusal", lambda *arguments: REFUSED)
    document = allowed.document("python", {}, uid, tmp_path, {})
    assert ("/home/ann" in document["landlock"]["hidden"]) is read_only


@pytest.mark.parametrize(
    ("shown", "is_hidden"), [("/home/ann", False), ("/home", False), ("/home/ann/data", True)]
)
def test_a_home_that_an_operator_shows_is_not_hidden(
    shown: str, is_hidden: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = walls("auto", tmp_path, shown=shown)
    monkeypatch.setattr(allowed, "_probe", lambda *arguments: "")
    monkeypatch.setattr(kernel_walls.os, "geteuid", lambda: 1000)
    document = allowed.document("python", {}, None, tmp_path, {})
    assert ("/home/ann" in document["walls"]["hidden"]) is is_hidden


def test_what_a_kernelspecs_variables_name_is_shown_and_no_choice_of_whoever_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = walls("auto", tmp_path)
    monkeypatch.setattr(allowed, "_probe", lambda *arguments: "")
    variables = {
        "JAVA_HOME": "/home/ann/jdk",
        "R_LIBS": "/home/ann/r:relative",
        "LD_LIBRARY_PATH": "/home/ann/lib:${LD_LIBRARY_PATH}:/${WHERE}",
        "LEVEL": 3,
    }
    document = allowed.document("python", {}, 200_000, tmp_path, {"env": variables})
    assert document["walls"]["readable"] == ["/home/ann/jdk", "/home/ann/r", "/home/ann/lib"]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_where_the_machine_allows_them_the_agent_is_told_what_to_hide(
    mode: str, tmp_path: Path
) -> None:
    python, allowed = program(tmp_path, ""), walls(mode, tmp_path)
    for _ in range(2):
        document = allowed.document(python, {}, None, tmp_path, {})
        hidden = [str(tmp_path / "kernels"), "/data"]
        assert document == {"walls": {"hidden": hidden, "shown": ["/tmp/seen"]}}
    assert (tmp_path / "runs").read_text() == "once\n"


def test_where_it_does_not_the_log_says_why_and_kernels_start_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_walls, "version", lambda: 2)
    refused = walls("auto", tmp_path)
    with caplog.at_level("WARNING", "test-walls"):
        for _ in range(2):
            document = refused.document(program(tmp_path, REFUSED), {}, None, tmp_path, {})
            # What Landlock is to shut, if there is one.
            places = {"hidden": [str(tmp_path / "kernels"), "/data"], "shown": ["/tmp/seen"]}
            assert document == {"landlock": places}
    (said,) = caplog.messages
    assert REFUSED in said
    assert "Landlock alone" in said


@pytest.mark.parametrize(("says", "code"), [(REFUSED, 0), ("", 1)])
def test_kernels_that_must_have_walls_do_not_start_without(
    says: str, code: int, tmp_path: Path
) -> None:
    required = walls("required", tmp_path)
    with pytest.raises(NoWalls, match="to auto"):
        required.document(program(tmp_path, says, code), {}, None, tmp_path, {})
    with pytest.raises(NoWalls):
        required.document(str(tmp_path / "missing"), {}, None, tmp_path, {})


def test_people_are_told_what_holds_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, alone in ((0, "none"), (1, "none"), (2, "landlock"), (7, "landlock")):
        monkeypatch.setattr(kernel_walls, "version", lambda version=version: version)
        assert KernelWalls.kind({"landlock": {}}) == alone
        assert KernelWalls.kind({"walls": {}}) == "namespaces"
        assert KernelWalls.kind({}) == "none"


def test_in_containers_landlock_keeps_the_agent_from_its_kernel(tmp_path: Path) -> None:
    nothing_hidden = {"landlock": {"hidden": [], "shown": []}}
    assert walls("auto", tmp_path).in_container() == nothing_hidden
    assert walls("required", tmp_path).in_container() == nothing_hidden
    assert walls("none", tmp_path).in_container() == {}


@pytest.mark.parametrize(
    ("refused", "network"),
    [
        ((), {"reach": "internet", "allowed": [], "fallback": True}),
        (("internet",), {"reach": "none", "allowed": [], "why": "no internet"}),
    ],
)
def test_a_kernel_gets_the_best_network_that_there_is_and_learns_why(
    refused: tuple[str, ...], network: dict[str, Any] | None, tmp_path: Path
) -> None:
    document = walls("auto", tmp_path, "auto").document(
        refusing(tmp_path, *refused), {}, None, tmp_path, {}
    )
    assert document["walls"].get("network") == network


def test_no_kernel_in_namespaces_falls_back_to_the_machines_network(tmp_path: Path) -> None:
    python = refusing(tmp_path, "internet", "none")
    with pytest.raises(NoWalls, match=r"no none.*kernel_network to host"):
        walls("auto", tmp_path, "auto").document(python, {}, None, tmp_path, {})
    # Without namespaces it has that network whatever is said of it.
    python = program(tmp_path, REFUSED)
    assert "landlock" in walls("auto", tmp_path, "auto").document(python, {}, None, tmp_path, {})


@pytest.mark.parametrize("end", ["kill -9 $$", f"exit {os.EX_TEMPFAIL}", "exec sleep 60"])
@pytest.mark.parametrize("network", ["auto", "host"])
def test_a_try_that_fails_for_now_says_nothing_of_the_machine(
    end: str, network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_walls, "PROBE_SECONDS", 0.5)
    python, auto = tmp_path / "python", walls("auto", tmp_path, network)
    python.write_text(f"#!/bin/sh\n{end}\n")
    python.chmod(0o755)
    with pytest.raises(NoWalls, match="Try again"):
        auto.document(str(python), {}, None, tmp_path, {})
    program(tmp_path, "")
    assert "walls" in auto.document(str(python), {}, None, tmp_path, {})


@pytest.mark.parametrize("network", ["none", "internet"])
@pytest.mark.parametrize("mode", ["none", "auto", "required"])
def test_no_kernel_starts_without_the_network_that_it_must_have(
    mode: str, network: str, tmp_path: Path
) -> None:
    strict = walls(mode, tmp_path, network)
    with pytest.raises(NoWalls, match="kernel_network to auto"):
        strict.document(refusing(tmp_path, "none", "internet"), {}, None, tmp_path, {})
