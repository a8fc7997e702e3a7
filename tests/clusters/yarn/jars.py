"""The jars of YARN, which Maven downloads once for each pom.xml."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from tests.clusters.recipe_cache import (
    BuildError,
    OutOfTimeError,
    UnavailableError,
    alone_in,
    recipe_folder,
)

_POM = Path(__file__).parent / "pom.xml"
_JAVA = 17


def java() -> str:
    """The program that runs YARN. Raises UnavailableError."""
    home = os.environ.get("JAVA_HOME")
    program = f"{home}/bin/java" if home else shutil.which("java")
    if program is None or not Path(program).exists():
        raise UnavailableError(f"Java {_JAVA} is not installed")
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', done.stderr)
    if version is None or int(version.group(1)) < _JAVA:
        raise UnavailableError(f"{program} is not Java {_JAVA} or later: {done.stderr.strip()}")
    return program


def jars_folder(deadline: float) -> Path:
    """The folder with all jars, downloaded until `deadline` (seconds of time.monotonic()).

    Raises UnavailableError, OutOfTimeError and BuildError.
    """
    java()
    folder = recipe_folder("yarn", [_POM])
    complete = folder / "lib"
    with alone_in(folder, deadline):
        if not complete.exists():
            _download(folder / "lib.new", deadline)
            (folder / "lib.new").rename(complete)
    return complete


def _download(folder: Path, deadline: float) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("Maven is not installed")
    shutil.rmtree(folder, ignore_errors=True)
    command = [maven, "--quiet", "--batch-mode", "--file", str(_POM)]
    try:
        done = subprocess.run(
            [*command, "dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=max(1.0, deadline - time.monotonic()),
        )
    except subprocess.TimeoutExpired as error:
        raise OutOfTimeError("Maven has not downloaded all jars of YARN") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        if "Non-parseable POM" in said or "problems were encountered" in said:
            raise BuildError(said[-2000:])
        raise UnavailableError(f"Maven does not get the jars of YARN: {_first_error(said)}")


def _first_error(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("[ERROR]")]
    return (errors or said.splitlines() or [""])[0][:300]
