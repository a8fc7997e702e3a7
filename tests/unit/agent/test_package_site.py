"""The folder of people's packages, made and used by interpreters that stand for kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_ext.agent.kernel_process import kernel_environment, takes_packages
from gateway_ext.agent.own_programs import search_path, write_own_programs
from gateway_ext.agent.package_site import (
    imported_anew,
    is_empty,
    make_site,
    site_packages,
    site_python,
)
from tests.unit.agent.test_agent_process_unit import document


def run(folder: Path, code: str) -> str:
    done = subprocess.run(
        [site_python(folder), "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_site(tmp_path / "it's a folder")
    return tmp_path / "it's a folder"


def test_what_is_in_it_comes_before_the_environment_and_after_the_standard_library(
    folder: Path,
) -> None:
    assert is_empty(folder)
    (site_packages(folder) / "tqdm.py").write_text("mine = True")
    (site_packages(folder) / "random.py").write_text("raise SystemExit")
    assert not is_empty(folder)
    assert run(folder, "import random, tqdm, ipykernel; print(tqdm.mine)") == "True"


def test_a_process_that_enters_it_sees_what_its_own_interpreter_sees(folder: Path) -> None:
    code = "import sys; print([p for p in sys.path if p.endswith('site-packages')], sys.prefix)"
    entered = (
        "from pathlib import Path; from gateway_ext.agent.package_site import enter_site; "
        f"enter_site(Path({str(folder)!r})); {code}; print(sys.executable)"
    )
    done = subprocess.run(
        [sys.executable, "-c", entered], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [run(folder, code), str(site_python(folder))]


def test_pip_keeps_what_kernels_need_and_is_found_as_a_program(folder: Path) -> None:
    own = folder.parent / "own"
    write_own_programs(own, folder)
    environment = {**os.environ, "PATH": search_path(own, folder, "/usr/bin:/bin")}

    def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pip", *arguments], env=environment, capture_output=True, text=True, check=False
        )

    assert f"from {sys.prefix}" in pip("--version").stdout
    refused = pip("install", "--no-index", "tornado==1.0")
    assert refused.returncode != 0
    assert "constraint" in refused.stdout + refused.stderr
    kept = pip("uninstall", "--yes", "tornado")
    assert "outside environment" in kept.stdout
    assert __import__("tornado").__file__


def test_another_environment_below_makes_it_anew_and_keeps_the_packages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site_packages(folder) / "mine.py").write_text("")
    before = (folder / "pyvenv.cfg").read_text()
    (folder / "constraints.txt").unlink()
    make_site(folder)
    assert not (folder / "constraints.txt").exists(), "made again without need"
    (folder / "pyvenv.cfg").write_text("home = /elsewhere\n")
    (folder / "bin" / "python").unlink()
    make_site(folder)
    assert (folder / "pyvenv.cfg").read_text() == before
    assert (folder / "constraints.txt").exists()
    assert run(folder, "import mine, tornado; print(1)") == "1"


def test_what_is_imported_already_is_imported_anew_but_for_what_a_kernel_works_with(
    folder: Path,
) -> None:
    imported = ["six", "six.moves", "sixteen", "IPython", "IPython.core", "pygments"]
    (site_packages(folder) / "six-1.0.dist-info").mkdir()
    assert imported_anew(folder, imported) == []
    for name in ("six", "IPython", "pygments"):
        (site_packages(folder) / name).mkdir()
    assert imported_anew(folder, imported) == ["six", "six.moves"]


PYTHON = {"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}


def test_only_kernels_of_the_agents_own_python_get_them(tmp_path: Path) -> None:
    packages = {"folder": str(tmp_path / "p"), "end_with": "pod"}
    ours = document(kernelspec=PYTHON, packages=packages)
    assert takes_packages(ours)
    environment = kernel_environment(ours, {"PATH": "/bin", "PYTHONNOUSERSITE": "1"}, 7)
    # What others put beside the packages, such as a `sh`, is found last.
    assert environment["PATH"] == f"{ours.directory}/settings/bin:/bin:{tmp_path}/p/bin"
    assert environment["FLEET_PACKAGES"] == f"{tmp_path}/p"
    assert environment["FLEET_PACKAGES_END_WITH"] == "pod"
    assert environment["IPYTHONDIR"] == str(ours.directory / "settings" / "ipython")
    assert "FLEET_PACKAGES_LEFT_OUT" not in environment
    other = document(kernelspec={"argv": ["R"]}, packages=packages)
    assert "FLEET_PACKAGES" not in kernel_environment(other, {"PATH": "/bin"}, 7)
    assert not takes_packages(document(kernelspec=PYTHON))


def test_in_a_container_they_are_in_the_agents_folder(tmp_path: Path) -> None:
    packages = document(tmp_path, packages={"end_with": "pod"}).packages
    assert packages is not None
    assert (packages.folder, packages.end_with) == (tmp_path / "packages", "pod")
