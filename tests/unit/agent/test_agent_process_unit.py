"""What a kernel's process is started with, and where its output goes."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent import kernel_process
from gateway_ext.agent.credit_file import CreditFile
from gateway_ext.agent.kernel_log import KernelLog
from gateway_ext.agent.kernel_process import (
    ConnectionFiles,
    LaunchError,
    kernel_argv,
    kernel_environment,
)
from gateway_ext.agent.socket_folder import SocketFolder
from gateway_ext.agent.start_document import (
    StartDocument,
    StartDocumentError,
    parse_start_document,
)
from gateway_ext.agent.start_files import start_file_variables
from gateway_ext.agent.walls.places import Walls


def raw(directory: Path = Path("/tmp/k"), **changes: Any) -> dict[str, Any]:
    document = {
        "kernel_id": "1234",
        "agent_key": "00" * 32,
        "gateways": ["http://127.0.0.1:8888"],
        "kernelspec": {"argv": ["python", "-f", "{connection_file}", "{resource_dir}/x{unknown}"]},
        "kernel_name": "python",
        "resource_dir": "/spec",
        "directory": str(directory),
        "cwd": "/",
        "journal_bytes": 1000,
        "ping_seconds": 1,
        "ping_timeout": 5,
        "orphan_seconds": 60,
    }
    return document | changes


def document(directory: Path = Path("/tmp/k"), **changes: Any) -> StartDocument:
    return parse_start_document(json.dumps(raw(directory, **changes)))


def test_the_command_is_filled_in_as_jupyter_client_does() -> None:
    argv = kernel_argv(document(), Path("/tmp/k/connection.json"))
    assert argv == [sys.executable, "-f", "/tmp/k/connection.json", "/spec/x{unknown}"]
    other = document(kernelspec={"argv": ["bash", "{kernel_id}"]})
    assert kernel_argv(other, Path("/c")) == ["bash", "1234"]


def test_the_environment_is_the_agents_with_the_kernelspecs() -> None:
    spec = {"argv": ["x"], "env": {"PATH": "/spec/bin:${PATH}", "N": 4, "KEEP": "${NOWHERE}"}}
    environment = kernel_environment(document(kernelspec=spec), {"PATH": "/bin", "HOME": "/h"}, 77)
    assert environment == {
        "PATH": "/spec/bin:/bin",
        "HOME": "/h",
        "N": "4",
        "KEEP": "${NOWHERE}",
        "JPY_PARENT_PID": "77",
        "FLEET_LEASES": "/tmp/k/leases",
        **start_file_variables(Path("/tmp/k")),
    }


def test_the_environment_names_the_kernel_s_own_socket_alone() -> None:
    outer = {"FLEET_SOCKET": "/outer/calls"}
    environment = kernel_environment(document(), outer, 77, call_socket=Path("/tmp/k/calls"))
    assert environment["FLEET_SOCKET"] == "/tmp/k/calls"
    assert "FLEET_SOCKET" not in kernel_environment(document(), outer, 77)


def test_the_key_and_the_environment_are_not_in_what_is_printed() -> None:
    shown = repr(document(agent_key="ab" * 32, kernelspec={"argv": ["x"], "env": {"S": "secret"}}))
    assert "ab" * 4 not in shown
    assert "\\xab" not in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernel_id": ""}, "kernel_id is missing"),
        ({"kernelspec": {"argv": "python"}}, "kernelspec.argv"),
        ({"agent_key": "00"}, "at least 16 bytes"),
        ({"gateways": []}, "gateways"),
        ({"cwd": "x"}, "cwd must be an absolute path"),
        ({"ping_timeout": True}, "ping_timeout must be a number above 0"),
        ({"orphan_seconds": -1}, "orphan_seconds must be a number above 0"),
        ({"prepared_by": ["ada", 1]}, "prepared_by must be a list of names of users, and nulls"),
        ({"kernelspec": {"argv": ["x"], "interrupt_mode": "wave"}}, "signal or message, not wave"),
        (
            {"kernelspec": {"argv": ["x"], "metadata": {"fleet": {"transport": "smoke"}}}},
            "ipc or tcp, not smoke",
        ),
    ],
)
def test_a_wrong_start_document_is_refused_with_the_field(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(StartDocumentError, match=words):
        document(**changes)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(StartDocumentError, match="start document"):
        parse_start_document(text)


def test_a_path_of_the_host_is_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    words = LaunchError.words(OSError(28, "No space left on device", "/host/connection.json"))
    assert words == "the kernel's own folder cannot be used: No space left on device"
    assert "/host/connection.json" in caplog.text
    assert LaunchError.words(LaunchError("there is no such program")) == "there is no such program"


def test_within_walls_a_kernel_sees_its_program_wherever_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "env" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (programs / "other-kernel").touch(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    spec = {"argv": ["other-kernel", "/given/script", "-f"]}
    places = {"hidden": ["/home"], "shown": ["/asked"], "readable": ["/home/ann/java"]}

    def walls(**changes: Any) -> Walls:
        given = document(tmp_path, kernelspec=spec, walls=places, **changes)
        found = ConnectionFiles(given, b"key", SocketFolder(tmp_path)).walls()
        assert found is not None
        return found

    code = str(Path(kernel_process.__file__).parents[2])
    named = {"/given/script", "/spec", "/asked", "/home/ann/java", code}
    needed = {str(programs), str(tmp_path / "env"), *named}
    assert needed <= set(walls().shown)
    assert "-f" not in walls().shown
    assert needed & set(walls().writable) == {"/asked"}
    # Whoever starts it cannot have shown what they want.
    assert str(programs) not in walls(environment={"PATH": str(programs)}).shown


def test_ipc_sockets_live_in_the_directory_and_the_file_is_private(tmp_path: Path) -> None:
    connection = ConnectionFiles(document(tmp_path), b"key", SocketFolder(tmp_path)).write()
    assert connection["transport"] == "ipc"
    assert connection["ip"] == f"{tmp_path}/k"
    assert connection["key"] == "key"
    assert (tmp_path / "connection.json").stat().st_mode & 0o777 == 0o600


def test_every_process_gets_free_ports_of_its_own_with_tcp(tmp_path: Path) -> None:
    spec = {"argv": ["x"], "metadata": {"fleet": {"transport": "tcp"}}}
    files = ConnectionFiles(document(tmp_path, kernelspec=spec), b"key", SocketFolder(tmp_path))
    first, second = files.write(), files.write()
    assert first["ip"] == "127.0.0.1"
    assert first["shell_port"] > 0
    assert first["shell_port"] != second["shell_port"]


def test_ipc_sockets_are_in_a_short_folder_if_the_directory_is_long(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    sockets = SocketFolder(long)
    connection = ConnectionFiles(document(long), b"key", sockets).write()
    assert connection["ip"] == str(sockets.path("k"))
    assert not connection["ip"].startswith(str(long))
    sockets.remove()


def test_the_log_is_bounded_and_ends_with_the_last_words(tmp_path: Path) -> None:
    log = KernelLog(tmp_path / "kernel.log", limit=100_000)
    pipe = log.open()
    for number in range(20_000):
        os.write(pipe, b"line %d of many that the kernel prints\n" % number)
    os.write(pipe, b"\n  boom\n")
    os.close(pipe)
    assert log.last_words(wait=10).splitlines() == [
        "line 19998 of many that the kernel prints",
        "line 19999 of many that the kernel prints",
        "boom",
    ]
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    # The last piece may have filled the file, which is moved aside then.
    assert len(sizes) in (1, 2)
    assert sum(sizes) < 2 * (100_000 + 65536)


def test_a_log_that_cannot_be_written_does_not_stop_the_kernel(tmp_path: Path) -> None:
    log = KernelLog(tmp_path / "missing" / "kernel.log")
    pipe = log.open()
    os.set_blocking(pipe, False)
    for _ in range(50):
        os.write(pipe, b"x" * 8000)
        time.sleep(0.005)
    os.close(pipe)
    assert log.last_words(wait=10)


def test_only_our_python_kernel_gets_its_credit_and_none_gets_another_kernel_s(
    tmp_path: Path,
) -> None:
    credit, outer = CreditFile(tmp_path / "credit"), {"FLEET_CREDIT": "/outer/credit"}
    spec = {"argv": ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "x"]}
    ours = document(kernelspec=spec)
    environment = kernel_environment(ours, outer, 77, credit=credit)
    assert environment["FLEET_CREDIT"] == str(tmp_path / "credit")
    assert "FLEET_CREDIT" not in kernel_environment(ours, outer, 77)
    assert "FLEET_CREDIT" not in kernel_environment(document(), outer, 77, credit=credit)
