"""What holds a kernel where it has no namespaces: Landlock, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.start_document import parse_start_document
from gateway_ext.agent.walls import confinement, landlock
from gateway_ext.agent.walls.places import Walls, left_open

REPOSITORY = Path(__file__).parents[3]

TRY = """
import json, os, signal, sys
sys.path.insert(0, REPOSITORY)
from pathlib import Path
from gateway_ext.agent.walls import confinement
from gateway_ext.agent.walls.places import Walls
hidden, shown, own, namespaces = ARGUMENTS
confinement.confine(Walls(tuple(hidden), tuple(shown), namespaces), Path(own))
done = []
def attempt(name, function):
    try:
        function()
    except OSError:
        return
    done.append(name)
base = Path(BASE)
attempt("read what is hidden", lambda: (base / "k/other/secret").read_text())
attempt("write what is hidden", lambda: (base / "k/other/secret").write_text("mine"))
attempt("make a file in what is hidden", lambda: (base / "k/new").write_text("mine"))
attempt("remove what is hidden", lambda: (base / "k/other/secret").unlink())
attempt("move what is hidden", lambda: (base / "k/other").rename(base / "k/own/taken"))
attempt("follow a link", lambda: (base / "link").read_text())
attempt("read the memory of the parent", lambda: open(f"/proc/{os.getppid()}/mem", "rb"))
attempt("read its own memory", lambda: open("/proc/self/mem", "rb"))
attempt("read beside", lambda: (base / "data/table").read_text())
attempt("write beside", lambda: (base / "data/new").write_text("mine"))
attempt("write its own", lambda: (base / "k/own/file").write_text("mine"))
(base / "k/own/folder").mkdir(exist_ok=True)
attempt("move its own", lambda: (base / "k/own/file").rename(base / "k/own/folder/file"))
attempt("truncate its own", lambda: os.truncate(base / "k/own/folder/file", 0))
attempt("start a program", lambda: os.spawnlp(os.P_WAIT, "true", "true"))
procs = [str(path) for path in Path("/sys/fs/cgroup").rglob("cgroup.procs")]
for path in procs:
    os.close(os.open(path, os.O_RDONLY))
for path in procs:
    attempt("write to a cgroup", lambda: os.close(os.open(path, os.O_WRONLY)))
attempt("signal the parent", lambda: os.kill(os.getppid(), 0))
print(json.dumps(done))
"""

ALLOWED = [
    "read its own memory",
    "read beside",
    "write beside",
    "write its own",
    "move its own",
    "truncate its own",
    "start a program",
]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    if landlock.version() < landlock.LEAST:
        pytest.skip("this system has no Landlock, or one that refuses to move files")
    for name in ("k/own", "k/other", "data"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("k/other/secret", "data/table"):
        (tmp_path / name).write_text("here")
    (tmp_path / "link").symlink_to(tmp_path / "k/other/secret")
    return tmp_path


def done(
    base: Path, hidden: list[str], *, shown: Sequence[str] = (), namespaces: bool = False
) -> list[str]:
    """What was not refused."""
    arguments = (hidden, list(shown), str(base / "k/own"), namespaces)
    code = TRY.replace("ARGUMENTS", repr(arguments)).replace("BASE", repr(str(base)))
    code = code.replace("REPOSITORY", repr(str(REPOSITORY)))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    said: list[str] = json.loads(ran.stdout)
    # Earlier ones shut no signals.
    return [one for one in said if one != "signal the parent" or landlock.version() >= 6]


def test_what_is_hidden_is_shut_and_all_else_is_open(base: Path) -> None:
    assert done(base, [str(base / "k")]) == ALLOWED
    assert (base / "k/other/secret").read_text() == "here"


def test_a_home_is_shut_but_for_what_of_it_is_shown_and_not_hidden_there(base: Path) -> None:
    hidden = [str(base), str(base / "k" / "other")]
    shut = {"read beside", "write beside"}
    assert done(base, hidden, shown=[str(base / "k")]) == [
        one for one in ALLOWED if one not in shut
    ]
    assert (base / "k/other/secret").read_text() == "here"


def test_without_anything_hidden_other_processes_are_shut_alone(base: Path) -> None:
    said = done(base, [])
    assert {"read what is hidden", "move what is hidden"} < set(said)
    assert not {"read the memory of the parent", "signal the parent"} & set(said)


def test_within_namespaces_which_hide_files_other_processes_are_shut_alone(base: Path) -> None:
    said = done(base, [str(base / "k")], namespaces=True)
    assert "read what is hidden" in said
    assert not {"read the memory of the parent", "signal the parent"} & set(said)


def test_a_path_is_shut_where_nothing_could_be_made_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "start.json"
    assert not confinement.takes_nothing_else_away(str(file))
    monkeypatch.setattr(confinement, "_writable", lambda folder: False)
    assert confinement.takes_nothing_else_away(str(file))


def test_what_is_left_open_is_all_that_is_beside_what_is_hidden() -> None:
    folders = {
        "/": ["usr", "home", "var"],
        "/home": ["ann", "bob"],
        "/home/ann": ["data", "fleet"],
        "/var": ["k", "log"],
    }
    opened = left_open(["/home/ann/fleet", "/var/k"], ["/home/ann/fleet/home", "/usr"], folders.get)
    assert opened == ["/home/ann/data", "/home/ann/fleet/home", "/home/bob", "/usr", "/var/log"]
    # A home is hidden, and in what of it is shown the fleet's data.
    nested = left_open(
        ["/home/ann", "/home/ann/fleet/k"],
        ["/home/ann/fleet", "/home/ann/fleet/k/own"],
        {**folders, "/home/ann/fleet": ["code", "k"], "/home/ann/fleet/k": ["own", "other"]}.get,
    )
    assert nested == ["/home/ann/fleet/code", "/home/ann/fleet/k/own", "/home/bob", "/usr", "/var"]
    assert left_open([], ["/x"], folders.get) == ["/"]
    # A folder that nobody may list has nothing that is open, but for what is shown.
    assert left_open(["/x/k"], ["/x/k/own"], lambda _: []) == ["/x/k/own"]


def document(**more: Any) -> Any:
    base = {
        "kernel_id": "k", "agent_key": "0" * 32, "gateways": ["http://g"], "kernel_name": "p",
        "kernelspec": {"argv": ["x"]}, "directory": "/d", "journal_memory_bytes": 1,
        "ping_seconds": 1, "ping_timeout": 1, "orphan_seconds": 1,
    }  # fmt: skip
    return parse_start_document(json.dumps(base | more)).walls


def test_a_start_document_says_what_holds_a_kernel() -> None:
    places = {"hidden": ["/k"], "shown": ["/s"]}
    assert document(walls=places, landlock=places) == Walls(("/k",), ("/s",))
    assert document(landlock=places) == Walls(("/k",), ("/s",), namespaces=False)
    assert document() is None
    with pytest.raises(ValueError, match="absolute"):
        document(landlock={"hidden": ["k"]})
