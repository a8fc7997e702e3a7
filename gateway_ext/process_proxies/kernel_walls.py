"""Whether the kernels of this machine get namespaces of their own, and what is hidden from them."""

import logging
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway_ext.agent.walls.landlock import LEAST, version
from gateway_ext.agent.walls.places import Walls
from gateway_ext.process_proxies.fork_servers import START_FOLDER
from gateway_ext.process_proxies.process_start import start_process

PROBE = "gateway_ext.agent.walls.probe"
PROBE_SECONDS = 30.0
MODES = ("none", "auto", "required")


class NoWalls(Exception):
    """Kernels must have walls, and cannot; the text says why."""


class KernelWalls:
    """What a gateway's configuration says of walls, and what this machine can do."""

    def __init__(
        self,
        mode: str,
        kernels_dir: Path,
        hidden: Sequence[str],
        shown: Sequence[str],
        log: logging.Logger,
    ) -> None:
        """`mode` is one of MODES."""
        self._mode = mode
        self._walls = Walls((str(kernels_dir.absolute()), *hidden), tuple(shown))
        self._log = log
        self._lock = threading.Lock()
        self._why_not: dict[str, str] = {}

    def document(
        self, python: str, environment: Mapping[str, str], uid: int | None, folder: Path
    ) -> dict[str, Any]:
        """The part of a start document. `python` runs the agent, under `uid` (None: ours), and
        `folder` is the kernel's own. Raises NoWalls. Blocks, the first time for a while."""
        if self._mode == "none":
            return {}
        with self._lock:
            if python not in self._why_not:
                self._why_not[python] = self._probe(python, environment, uid, folder)
            why_not = self._why_not[python]
        if not why_not:
            # Without root, a kernel could change what its user runs later.
            read_only = uid is None and os.geteuid() != 0
            return {"walls": replace(self._walls, read_only=read_only).as_json()}
        if self._mode == "required":
            raise NoWalls(
                f"the kernel cannot have namespaces of its own: {why_not}. Or set "
                "FleetGatewayApp.kernel_walls to auto"
            )
        return {"landlock": self._walls.as_json()}

    @staticmethod
    def kind(document: Mapping[str, Any]) -> str:
        """What holds the kernel of a start document on this machine, for people."""
        if "walls" in document:
            return "namespaces"
        return "landlock" if "landlock" in document and version() >= LEAST else "none"

    def in_container(self) -> dict[str, Any]:
        """The part of the start document of an agent in a container, which is a wall of its own:
        there, Landlock keeps the agent from its kernel."""
        return {} if self._mode == "none" else {"landlock": {"hidden": [], "shown": []}}

    def _probe(
        self, python: str, environment: Mapping[str, str], uid: int | None, folder: Path
    ) -> str:
        options: dict[str, Any] = {}
        if uid is not None:
            options = {"user": uid, "group": uid, "extra_groups": []}
        try:
            process = start_process(
                [python, "-P", "-m", PROBE, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=START_FOLDER,
                env=dict(environment),
                start_new_session=True,
                close_fds=True,
                **options,
            )
            with process:
                try:
                    said, errors = process.communicate(timeout=PROBE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            why_not = str(error)
        else:
            why_not = said.decode(errors="replace").strip()
            if process.returncode:
                last = errors.decode(errors="replace").strip().rpartition("\n")[2]
                why_not = last or f"{PROBE} ends with {process.returncode}"
        if why_not:
            left = self.kind({"landlock": {}}) == "landlock"
            self._log.warning(
                "kernels in %s have no namespaces of their own (%s): %s",
                os.path.dirname(python),
                why_not,
                "Landlock alone keeps them from each other's memory and files"
                if left
                else "those of one project read each other's memory and files",
            )
        return why_not
