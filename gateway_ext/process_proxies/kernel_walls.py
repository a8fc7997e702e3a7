"""Whether the kernels of this machine get namespaces of their own, with which network, and what is
hidden from them."""

import errno
import functools
import json
import logging
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway_ext.agent.walls.landlock import LEAST, version
from gateway_ext.agent.walls.network import Network, Reach
from gateway_ext.agent.walls.places import Walls, is_below
from gateway_ext.process_proxies.fork_servers import START_FOLDER
from gateway_ext.process_proxies.kept_answer import KeptAnswer, NotFound
from gateway_ext.process_proxies.network_choice import NetworkChoice, NetworkImpossible
from gateway_ext.process_proxies.process_start import start_process
from jupyter_ext.wire.kernel_walls import PROBE, PROBE_SECONDS

REFUSED_SECONDS = 300.0
_OF_THE_MOMENT = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR}
"""Errors that say nothing of what a machine allows."""


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
        network: NetworkChoice,
        log: logging.Logger,
        private: Sequence[str] = (),
    ) -> None:
        """`mode` is one of WALLS; `private` folders are hidden from kernels that run as the
        gateway's own user, unless that is root, or `shown` names them."""
        self._mode = mode
        self._walls = Walls((str(kernels_dir.absolute()), *hidden), tuple(shown))
        named = list(map(os.path.realpath, shown))
        self._private = tuple(path for path in private if not is_below(path, named))
        self._network = network
        self._log = log
        self._refusals: dict[tuple[str, Reach], KeptAnswer] = {}

    def document(
        self,
        python: str,
        environment: Mapping[str, str],
        uid: int | None,
        folder: Path,
        kernelspec: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The part of a start document. `python` runs the agent, under `uid` (None: ours), and
        `folder` is the kernel's own. Raises NoWalls. Blocks, the first time for a while.

        Where the system allows namespaces no kernel gets the machine's network unless it is to.
        """
        refusal = functools.partial(self._refusal, python, environment, uid, folder)
        try:
            return self._document(refusal, uid, kernelspec)
        except NotFound as error:
            raise NoWalls(
                "it is not known what walls the kernel can have, because they could not be tried: "
                f"{error}. Try again"
            ) from error

    def _document(
        self,
        refusal: Callable[[Network | None], str],
        uid: int | None,
        kernelspec: Mapping[str, Any],
    ) -> dict[str, Any]:
        if self._mode == "none":
            self._check_network("FleetGatewayApp.kernel_walls is none")
            return {}
        try:
            networks = self._network.to_try(kernelspec)
        except NetworkImpossible as error:
            raise NoWalls(str(error)) from error
        walls = replace(self._walls, readable=tuple(_named_paths(kernelspec)))
        if uid is None and os.geteuid() != 0:
            # It could change what this user runs later, and use this user's credentials.
            walls = replace(walls.also_hiding(*self._private), read_only=True)
        why = why_not = ""
        for network in networks:
            if not (why_not := refusal(network)):
                given = None if network is None else replace(network, why=why)
                return {"walls": replace(walls, network=given).as_json()}
            why = why or why_not
        self._check_network(why)
        if None not in networks and not refusal(None):
            raise NoWalls(
                f"the kernel cannot have a network of its own: {why_not}. Or set "
                "FleetGatewayApp.kernel_network to host"
            )
        why_not = refusal(None)
        if self._mode == "required":
            raise NoWalls(
                f"the kernel cannot have namespaces of its own: {why_not}. Or set "
                "FleetGatewayApp.kernel_walls to auto"
            )
        return {"landlock": replace(walls, read_only=False).as_json()}

    def _check_network(self, why_not: str) -> None:
        if self._network.must_be_its_own:
            raise NoWalls(
                f"the kernel cannot have a network of its own: {why_not}. Or set "
                "FleetGatewayApp.kernel_network to auto"
            )

    @staticmethod
    def kind(document: Mapping[str, Any]) -> str:
        """What holds the kernel of a start document on this machine, for people."""
        if "walls" in document:
            return "namespaces"
        return "landlock" if "landlock" in document and version() >= LEAST else "none"

    @staticmethod
    def reach(document: Mapping[str, Any]) -> str:
        """What of the network the kernel of a start document reaches (`Reach`)."""
        network = document.get("walls", {}).get("network", {})
        return str(network.get("reach", Reach.HOST.value))

    def in_container(self) -> dict[str, Any]:
        """The part of the start document of an agent in a container, which is a wall of its own:
        there, Landlock keeps the agent from its kernel."""
        return {} if self._mode == "none" else {"landlock": {"hidden": [], "shown": []}}

    def _refusal(
        self,
        python: str,
        environment: Mapping[str, str],
        uid: int | None,
        folder: Path,
        network: Network | None,
    ) -> str:
        """Why walls with this network cannot be had; empty if they can. A refusal is believed for
        REFUSED_SECONDS: a machine's own network may come later than its fleet."""
        reach = Reach.HOST if network is None else network.reach

        def find() -> str:
            found = self._probe(python, environment, uid, folder, network)
            if found:
                self._log.warning("%s", _words(reach, os.path.dirname(python), found))
            return found

        kept = self._refusals.setdefault((python, reach), KeptAnswer(REFUSED_SECONDS))
        return kept.get(find)

    def _probe(
        self,
        python: str,
        environment: Mapping[str, str],
        uid: int | None,
        folder: Path,
        network: Network | None,
    ) -> str:
        """Try it. Raises NotFound if that says nothing of what the system allows."""
        described = [] if network is None else [json.dumps(network.as_json())]
        options: dict[str, Any] = {}
        if uid is not None:
            options = {"user": uid, "group": uid, "extra_groups": []}
        try:
            process = start_process(
                [python, "-P", "-m", PROBE, str(folder), *described],
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
            is_error = isinstance(error, (OSError, ValueError))
            if is_error and getattr(error, "errno", None) not in _OF_THE_MOMENT:
                return str(error)
            raise NotFound(str(error)) from error
        if not process.returncode:
            return said.decode(errors="replace").strip()
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        why_not = last or f"{PROBE} ends with {process.returncode}"
        if process.returncode < 0 or process.returncode == os.EX_TEMPFAIL:
            raise NotFound(why_not)
        return why_not


def _named_paths(kernelspec: Mapping[str, Any]) -> list[str]:
    """The paths in the kernelspec's `env`, such as JAVA_HOME or R_LIBS. One with a ${NAME} may be
    the choice of whoever starts a kernel, and is none."""
    values = map(str, (kernelspec.get("env") or {}).values())
    parts = (part for value in values for part in value.split(os.pathsep))
    return [part for part in parts if os.path.isabs(part) and "$" not in part]


def _words(reach: Reach, folder: str, why_not: str) -> str:
    if reach is Reach.INTERNET:
        return f"kernels in {folder} have no way to the internet: {why_not}"
    if reach is Reach.NONE:
        return f"kernels in {folder} have no network of their own: {why_not}"
    left = (
        "Landlock alone keeps them from each other's memory and files"
        if KernelWalls.kind({"landlock": {}}) == "landlock"
        else "those of one project read each other's memory and files"
    )
    return f"kernels in {folder} have no namespaces of their own ({why_not}): {left}"
