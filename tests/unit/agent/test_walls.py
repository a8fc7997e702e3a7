"""What code within a kernel's walls sees and can do; no kernel is needed for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.walls import first_process, landlock, outside
from gateway_ext.agent.walls.links import program_paths
from gateway_ext.agent.walls.order import Order
from gateway_ext.agent.walls.places import Walls
from gateway_ext.agent.walls.read_only import mounted
from gateway_ext.agent.walls.waiting_process import WaitingProcess, start_walls
from tests.servers.folder_for_kernels import folder_for_kernels
from tests.unit.agent.inside_walls import order_of, run_inside, start_inside

LOOK = """
import json, os
rights = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "user": [os.getuid(), os.getgid()],
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
    "capabilities": [rights[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapInh")],
    "no_new_privileges": rights["NoNewPrivs"].strip(),
    "tmp": os.listdir("/tmp"), "memory": os.listdir("/dev/shm"),
}))
"""

CALLS = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    libc.syscall(*arguments)
    return errno.errorcode.get(ctypes.get_errno(), "")
print(json.dumps([call(*numbers) for numbers in NUMBERS]))
"""


def looked(own: Path, **places: tuple[str, ...]) -> dict[str, Any]:
    seen: dict[str, Any] = json.loads(run_inside(own, LOOK, **places))
    return seen


def test_a_program_inside_sees_itself_alone_and_has_no_rights(own: Path) -> None:
    seen = looked(own)
    assert seen["processes"] == ["1", str(seen["pid"])]
    assert seen["parent"] == 1
    assert seen["user"] == [os.getuid(), os.getgid()]
    assert {int(rights, 16) for rights in seen["capabilities"]} == {0}
    assert seen["no_new_privileges"] == "1"
    # A checkout may be there as well, with what Python needs.
    needed = [Path(one) for one in (str(own), sys.prefix, *sys.path)]
    shown = {one.parts[2] for one in needed if one.is_relative_to("/tmp")}
    assert {own.parts[2]} <= set(seen["tmp"]) <= shown
    assert seen["memory"] == []


def test_other_kernels_folders_are_not_there_and_its_own_is(own: Path) -> None:
    other = own.parent / "other"
    other.mkdir()
    (other / "connection.json").write_text("{}")
    (own / "mine.txt").write_text("seen")
    code = (
        "import os, sys; print(os.listdir('..')); print(open('mine.txt').read());"
        "open('back.txt', 'w').write('written')"
    )
    assert run_inside(own, code, hidden=(str(own.parents[1]),)) == "['mine']\nseen\n"
    assert (own / "back.txt").read_text() == "written"


def test_nothing_can_be_written_where_folders_are_hidden(own: Path) -> None:
    with folder_for_kernels("fleet-hidden-") as hidden:
        (hidden / "shown").mkdir()
        code = (
            f"open('{hidden}/shown/new', 'w').write('x')\n"
            f"try: open('{hidden}/new', 'w')\n"
            "except OSError as error: print(error.strerror)\n"
        )
        said = run_inside(own, code, hidden=(str(hidden),), shown=(str(hidden / "shown"),))
        assert (said, (hidden / "shown" / "new").read_text()) == ("Read-only file system\n", "x")


def test_what_is_hidden_in_a_folder_that_is_shown_stays_hidden_and_links_lead_there(
    own: Path,
) -> None:
    with folder_for_kernels("fleet-home-") as home:
        for name in ("code/data/k/mine", "code/data/keys", "env/bin", ".ssh"):
            (home / name).mkdir(parents=True)
        for name in ("code/seen", "code/data/keys/key", "code/data/k/mine/own", ".ssh/key"):
            (home / name).write_text("x")
        os.mkfifo(home / "fifo")
        (home / "env" / "bin" / "program").write_text("#!/bin/sh\necho ran\n")
        (home / "env" / "bin" / "program").chmod(0o755)
        (home / "env" / "pyvenv.cfg").touch()
        (home / "newest").symlink_to("env")
        (home / "bin").mkdir()
        (home / "bin" / "program").symlink_to(home / "newest" / "bin" / "program")
        program = str(home / "bin" / "program")
        code = (
            "import os, subprocess\n"
            f"os.chdir({str(home)!r})\n"
            "print(sorted(os.listdir('.')), sorted(os.listdir('code')), os.listdir('code/data'))\n"
            "print(os.path.exists('code/data/k/mine/own'))\n"
            f"print(subprocess.run([{program!r}], capture_output=True, text=True).stdout)\n"
        )
        said = run_inside(
            own,
            code,
            hidden=(str(home), str(home / "code" / "data")),
            shown=(
                str(home / "code"),
                str(home / "code" / "data" / "k" / "mine"),
                *program_paths(program),
            ),
        )
    expected = "['bin', 'code', 'env', 'newest'] ['data', 'seen'] ['k']\nTrue\nran\n\n"
    assert said == expected


def test_what_it_leaves_in_tmp_is_in_its_own_folder_and_no_link_leads_out(
    own: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    run_inside(own, "open('/tmp/left', 'w').write('here')")
    assert (own / "tmp" / "left").read_text() == "here"
    (own / "tmp" / "left").unlink()
    os.rename(own / "tmp", own / "old")
    (own / "tmp").symlink_to(secret)
    run_inside(own, "open('/tmp/left', 'w').write('here')", hidden=(str(tmp_path),))
    assert list(secret.iterdir()) == []


def test_links_that_it_leaves_in_tmp_lead_nothing_elsewhere_that_is_shown_there(own: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, folder_for_kernels("fleet-") as secret:
        shown = Path(folder, "data", "mine")
        shown.mkdir(parents=True)
        (shown / "seen").touch()
        places = {"hidden": (str(secret),), "shown": (str(shown),)}
        for link in (shown, shown.parent):
            run_inside(own, "", **places)
            mine = own / "tmp" / link.relative_to("/tmp")
            shutil.rmtree(mine)
            mine.symlink_to("/proc/self/fd" if link == shown else secret)
            look = f"import os; print(os.listdir({str(shown)!r}), os.listdir({str(secret)!r}))"
            assert run_inside(own, look, **places) == "['seen'] []\n"
        assert list(secret.iterdir()) == []


def test_a_folder_around_what_is_hidden_in_a_shown_one_cannot_be_moved_away(own: Path) -> None:
    with folder_for_kernels("fleet-home-") as home:
        hidden = home / "code" / "project" / "deep" / "data"
        hidden.mkdir(parents=True)
        (hidden / "key").touch()
        code = (
            "import os\n"
            f"os.chdir({str(home / 'code')!r})\n"
            "for name in ('project', 'project/deep'):\n"
            "    try: os.rename(name, name + '-moved')\n"
            "    except OSError as error: print(error.strerror)\n"
            "open('project/new', 'w').close()\n"
        )
        places = {"hidden": (str(home), str(hidden)), "shown": (str(home / "code"),)}
        assert run_inside(own, code, **places) == "Device or resource busy\n" * 2
        assert (home / "code" / "project" / "new").exists()


@pytest.mark.parametrize(
    ("numbers", "refused"),
    [
        # x86_64 and the error: ptrace, process_vm_readv, keyctl, bpf, userfaultfd, unshare, mount
        ((101, 16, 1, 0, 0), "EPERM"),
        ((310, 1, 0, 0, 0, 0, 0), "EPERM"),
        ((250, 0, 0), "EPERM"),
        ((321, 0, 0, 0), "EPERM"),
        ((323, 0), "EPERM"),
        ((272, 0x10000000), "EPERM"),
        ((165, 0, 0, 0, 0, 0), "EPERM"),
        # clone with CLONE_NEWUSER; io_uring_setup and clone3, which programs can do without
        ((56, 0x10000000 | 17, 0, 0, 0, 0), "EPERM"),
        ((425, 1, 0), "ENOSYS"),
        ((435, 0, 0), "ENOSYS"),
        # The same calls by the numbers of x32.
        ((0x40000000 | 39,), "EPERM"),
        # Sockets of AF_VSOCK and AF_PACKET, and of AF_INET.
        ((41, 40, 1, 0), "EAFNOSUPPORT"),
        ((41, 17, 3, 0), "EAFNOSUPPORT"),
        ((41, 2, 1, 0), ""),
        # getpid: the others are there.
        ((39,), ""),
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_system_calls_that_lead_out_are_refused(
    own: Path, numbers: tuple[int, ...], refused: str
) -> None:
    code = CALLS.replace("NUMBERS", repr([numbers]))
    assert json.loads(run_inside(own, code)) == [refused]


def test_it_cannot_stop_or_trace_the_first_process(own: Path) -> None:
    code = (
        "import os, signal\n"
        "for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM):\n"
        "    try: os.kill(1, number)\n"
        "    except PermissionError: pass\n"
        "for name in ('mem', 'environ', 'maps'):\n"
        "    try: open('/proc/1/' + name, 'rb').read(1); print(name)\n"
        "    except PermissionError: pass\n"
        "print('still here')"
    )
    assert run_inside(own, code) == "still here\n"


def test_memory_that_processes_share_is_the_kernels_own(own: Path) -> None:
    name = f"fleet-walls-{os.getpid()}"
    shared = Path("/dev/shm", name)
    shared.write_text("outside")
    try:
        code = f"import os; print(os.path.exists('/dev/shm/{name}'))"
        assert run_inside(own, code) == "False\n"
    finally:
        shared.unlink()


def test_terminals_are_the_kernels_own(own: Path) -> None:
    ours, theirs = os.openpty()
    try:
        code = (
            "import os, pty\n"
            "print(os.listdir('/dev/pts'))\n"
            "ours, theirs = os.openpty()\n"
            "os.write(theirs, b'said')\n"
            "print(os.read(ours, 10), os.ttyname(theirs), sorted(os.listdir('/dev/pts')))\n"
            "pty.spawn(['true'])\n"
        )
        said = run_inside(own, code)
        assert said == "['ptmx']\nb'said' /dev/pts/0 ['0', 'ptmx']\n"
    finally:
        os.close(ours)
        os.close(theirs)


def test_cgroups_can_be_read_and_not_written(own: Path) -> None:
    places = mounted(Path("/proc/self/mountinfo").read_text())
    if not any(place.startswith("/sys/fs/cgroup") for place in places):
        pytest.skip("no cgroups are mounted here")
    code = (
        "import errno, os\n"
        "said = set()\n"
        "for folder, _, names in os.walk('/sys/fs/cgroup'):\n"
        "    for name in {'cgroup.procs'} & set(names):\n"
        "        path = os.path.join(folder, name)\n"
        "        os.close(os.open(path, os.O_RDONLY))\n"
        "        try: os.open(path, os.O_WRONLY)\n"
        "        except OSError as error: said.add(errno.errorcode[error.errno])\n"
        "        else: said.add('written')\n"
        "print('EROFS' in said, said - {'EROFS', 'EACCES'})"
    )
    assert run_inside(own, code) == "True set()\n"


def test_what_its_user_could_change_is_read_only_but_for_what_is_the_kernels(
    own: Path, tmp_path: Path
) -> None:
    home, program = tmp_path / "home", tmp_path / "program"
    home.mkdir()
    program.mkdir()
    with folder_for_kernels("fleet-seen-") as seen, folder_for_kernels("fleet-other-") as other:
        code = (
            "import errno, os, sys\n"
            f"for folder in {[str(one) for one in (own, home, seen, '/tmp', '/dev/shm')]!r}:\n"
            "    open(os.path.join(folder, 'mine'), 'w').write('x')\n"
            "open('/dev/null', 'w').write('x')\n"
            f"for folder in {[str(one) for one in (program, other, '/etc', '/', '/var/lib')]!r}:\n"
            "    try: open(os.path.join(folder, 'fleet-mine'), 'w')\n"
            "    except OSError as error: print(errno.errorcode[error.errno])\n"
            "    else: print('written', folder)\n"
        )
        walls = Walls((), (str(program),), read_only=True).also_writable(str(home), str(seen))
        inside = start_inside(own, [sys.executable, "-c", code], walls=walls)
        status, text = inside.end()
    assert (status, text) == (0, "EROFS\n" * 5)


def test_sockets_without_a_path_lead_to_nobody_outside(own: Path) -> None:
    if landlock.version() < 6:
        pytest.skip("this system's Landlock does not shut abstract sockets")
    name = f"\0fleet-walls-{os.getpid()}"
    code = (
        "import socket\n"
        "inside = socket.socket(socket.AF_UNIX)\n"
        "inside.bind(NAME + '-inside')\n"
        "inside.listen()\n"
        "for name in (NAME + '-inside', NAME):\n"
        "    try: socket.socket(socket.AF_UNIX).connect(name); print('connected')\n"
        "    except PermissionError: print('refused')\n"
    ).replace("NAME", repr(name))
    with socket.socket(socket.AF_UNIX) as outside:
        outside.bind(name)
        outside.listen()
        assert run_inside(own, code) == "connected\nrefused\n"


def test_the_exit_code_or_signal_is_the_programs(own: Path) -> None:
    ends = {
        "import sys; sys.exit(3)": 3,
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": -signal.SIGSEGV,
        "import sys; sys.exit(137)": 137,
    }
    for code, exit_code in ends.items():
        status, text = start_inside(own, [sys.executable, "-c", code]).end()
        assert os.waitstatus_to_exitcode(status) == exit_code, text


def test_the_first_process_is_shown_as_what_it_is_and_without_an_environment(own: Path) -> None:
    inside = start_inside(own, ["sleep", "600"])
    shown = Path(f"/proc/{inside.first.pid}/cmdline")
    assert shown.read_bytes().startswith(b"jupyter-fleet-walls\0")
    if os.geteuid() == 0:
        # It refuses everybody else.
        assert b"PYTHONPATH" not in Path(f"/proc/{inside.first.pid}/environ").read_bytes()
    os.kill(inside.first.pid, signal.SIGKILL)
    inside.end()


def test_one_that_is_killed_on_its_way_inside_has_ended_as_any_other(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = outside._said

    def kill_once(control: socket.socket, deadline: float) -> tuple[dict[str, Any], list[int]]:
        monkeypatch.setattr(outside, "_said", said)
        words, descriptors = said(control, deadline)
        os.kill(int(words["pid"]), signal.SIGKILL)
        return words, descriptors

    monkeypatch.setattr(outside, "_said", kill_once)
    status, _ = start_inside(own, ["sleep", "600"]).end()
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_what_builds_the_walls_is_known_to_be_killed(own: Path) -> None:
    waiting = start_walls(sys.stderr.fileno(), lambda: None)
    os.kill(waiting.pid, signal.SIGKILL)
    order = Order(["sleep", "600"], {}, own, 2, own, walls=Walls((), ()))
    with pytest.raises((ConnectionError, outside.EndedInside)):
        waiting.become(order)
    assert waiting.was_killed()
    os.waitpid(waiting.pid, 0)


def test_nothing_starts_inside_if_what_should_tell_of_it_was_killed(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        first_process, "_tell_of_itself", lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    )
    order, output = order_of(own, ["true"])
    ours, theirs = socket.socketpair()
    waiting = os.fork()
    if not waiting:
        try:
            ours.close()
            first_process.wait_for_order(theirs, announced=lambda: None)
        finally:
            os._exit(1)
    theirs.close()
    with pytest.raises(outside.EndedInside):
        WaitingProcess(waiting, ours).become(order)
    assert os.WTERMSIG(os.waitpid(waiting, 0)[1]) == signal.SIGKILL
    os.close(order.output)
    # The pipe's end: nobody has it any more.
    with os.fdopen(output) as lines:
        assert lines.read() == ""


def test_all_that_it_started_ends_with_it(own: Path) -> None:
    code = (
        "import subprocess\n"
        "subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "subprocess.Popen(['sh', '-c', 'sleep 600 & true'], start_new_session=True)\n"
    )
    # The pipe's end: nobody has it any more.
    assert run_inside(own, code) == ""


def test_a_killed_first_process_takes_the_program_with_it(own: Path) -> None:
    inside = start_inside(own, ["sleep", "600"])
    os.kill(inside.first.pid, signal.SIGKILL)
    status, _ = inside.end()
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def test_a_program_that_does_not_exist_is_named_as_without_walls(own: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start_inside(own, ["no-such-program"])
