"""What must be seen of a folder that is hidden, so that a program in it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway_ext.agent.walls.links import links_on_the_way, program_paths


def test_each_link_on_the_way_is_found(tmp_path: Path) -> None:
    (tmp_path / "versions" / "3.11.9" / "bin").mkdir(parents=True)
    (tmp_path / "versions" / "3.11").symlink_to("3.11.9")
    (tmp_path / "env").mkdir()
    python = tmp_path / "env" / "python"
    python.symlink_to("../versions/3.11/bin/python3")
    assert links_on_the_way(str(python)) == {
        str(python): "../versions/3.11/bin/python3",
        str(tmp_path / "versions" / "3.11"): "3.11.9",
    }
    (tmp_path / "absolute").symlink_to(python)
    assert list(links_on_the_way(f"{tmp_path}/absolute"))[:2] == [
        f"{tmp_path}/absolute",
        str(python),
    ]
    (tmp_path / "loop").symlink_to("loop")
    assert links_on_the_way(f"{tmp_path}/loop/x") == {f"{tmp_path}/loop": "loop"}
    assert links_on_the_way(f"{tmp_path}/nowhere/x") == {}


def needed(folder: Path, name: str) -> list[str]:
    """What of `folder` the program of this name needs, in any order and without links."""
    found = program_paths(f"{folder}/{name}")
    real = {Path(one).resolve() for one in found}
    return sorted(str(one.relative_to(folder)) for one in real if one.is_relative_to(folder))


def program(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_a_program_needs_its_environment_and_of_a_home_its_folder_alone(tmp_path: Path) -> None:
    for name in ("env/bin/python", ".local/bin/tool", "plain/bin/r"):
        program(tmp_path / name)
    for name in (".local/lib", "env/conda-meta"):
        (tmp_path / name).mkdir()
    assert needed(tmp_path, "env/bin/python") == ["env", "env/bin", "env/bin/python"]
    assert needed(tmp_path, "plain/bin/r") == ["plain/bin", "plain/bin/r"]
    assert needed(tmp_path, ".local/bin/tool") == [".local/bin", ".local/bin/tool"]
    assert program_paths("python") == []


def test_a_virtual_environment_needs_the_python_that_it_is_of(tmp_path: Path) -> None:
    versions = tmp_path / ".pyenv" / "versions"
    program(versions / "3.11.9" / "bin" / "python3.11")
    (versions / "3.11.9" / "lib").mkdir()
    (versions / "3.11").symlink_to("3.11.9")
    tool = tmp_path / ".local" / "share" / "uv" / "tools" / "kernel"
    program(tool / "bin" / "kernel", f"#!{tool}/bin/python -E\n")
    (tool / "pyvenv.cfg").touch()
    (tool / "bin" / "python").symlink_to(versions / "3.11" / "bin" / "python3.11")
    (tmp_path / ".local" / "bin").mkdir()
    (tmp_path / ".local" / "bin" / "kernel").symlink_to("../share/uv/tools/kernel/bin/kernel")
    base = ".pyenv/versions/3.11.9"
    assert needed(tmp_path, ".local/bin/kernel") == [
        ".local/bin",
        ".local/share/uv/tools/kernel",
        ".local/share/uv/tools/kernel/bin",
        ".local/share/uv/tools/kernel/bin/kernel",
        base,
        f"{base}/bin",
        f"{base}/bin/python3.11",
    ]


def test_a_script_needs_what_interprets_it_and_pyenvs_all_of_pyenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / ".pyenv" / "shims" / "python", "#!/usr/bin/env bash\n")
    (tmp_path / ".pyenv" / "libexec").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/.pyenv/shims:{os.environ['PATH']}")
    for line in ("#!/usr/bin/env python", "#! /usr/bin/env -S A=1 python -E"):
        program(tmp_path / "run.sh", f"{line}\nprint(1)")
        assert needed(tmp_path, "run.sh") == [
            ".",
            ".pyenv",
            ".pyenv/shims",
            ".pyenv/shims/python",
            "run.sh",
        ]
    for line in ("#!", "#!/usr/bin/env", "#!relative/python", "print(1)"):
        program(tmp_path / "run.sh", f"{line}\n")
        assert needed(tmp_path, "run.sh") == [".", "run.sh"]
    # Nor is one waited for.
    os.mkfifo(tmp_path / "fifo")
    assert needed(tmp_path, "fifo") == [".", "fifo"]
