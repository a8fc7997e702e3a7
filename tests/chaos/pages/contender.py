"""What each of those that are compared can do: start, die in parts, keep a notebook."""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from tests.chaos.pages.cable import Cable
from tests.chaos.pages.late_kernel import LateKernel

Pause = Callable[[float], None]
"""Lets so many seconds pass while the page lives on."""
Fault = Callable[[random.Random, Pause], None]


def wait_for_answer(url: str, seconds: float = 120.0) -> None:
    """Return when `url` is answered with a status below 500; TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not answers(url):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} does not answer")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Whether `url` is answered now, with a status below 500."""
    try:
        return requests.get(url, timeout=2, allow_redirects=False).status_code < 500
    except requests.RequestException:
        return False


def kill(pid: int | None) -> None:
    """SIGKILL, if the process is there."""
    if pid is not None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class Contender(ABC):
    """A running JupyterLab. The browser reaches it through `cable`, the script past it."""

    name: str
    kernel: str
    """The kernelspec of the notebooks."""
    path: str
    """Of the notebook, on the server."""
    asks_of_conflicts = True
    """Whether one person who is alone with a notebook may be asked which version to keep."""

    def __init__(self, folder: Path) -> None:
        """Starts everything in `folder`, whose path must be short."""
        self.folder = folder
        self.late = LateKernel(folder / "late")
        self.start()
        self.cable = Cable(self.port)
        self.direct = f"http://127.0.0.1:{self.port}"
        self._session = requests.Session()
        self._session.headers["Authorization"] = self.authorization

    @abstractmethod
    def start(self) -> None:
        """Start all processes, with the kernelspec of `late`."""

    @abstractmethod
    def stop_processes(self) -> None:
        """End all processes and kernels."""

    @property
    @abstractmethod
    def port(self) -> int:
        """Where people reach it."""

    @property
    @abstractmethod
    def authorization(self) -> str:
        """A header's value for the script's own calls."""

    @property
    @abstractmethod
    def faults(self) -> Mapping[str, Fault]:
        """What can happen to its processes, by name. Each returns with everything started again,
        though not yet answering."""

    @abstractmethod
    def kill_server_of_page(self) -> Callable[[], None]:
        """Find the process that serves the only page; what is returned kills it."""

    @abstractmethod
    def kill_front(self) -> None:
        """Kill everything between browser and gateway at once, and have it started again."""

    @abstractmethod
    def revive(self) -> None:
        """Start again what `kill_server_of_page` killed, and return when it answers."""

    def entry(self, path: str) -> str:
        """An address of a browser that was never here, signed in, with the notebook open."""
        return self._address(f"/lab/workspaces/{uuid.uuid4().hex[:12]}/tree/{quote(path)}")

    @abstractmethod
    def _address(self, page: str) -> str: ...

    @property
    @abstractmethod
    def runs_kernels(self) -> str:
        """The address of the server that runs the kernels."""

    def kernel_ids(self) -> set[str]:
        """The kernels that run there."""
        answer = self._session.get(f"{self.runs_kernels}/api/kernels", timeout=60)
        answer.raise_for_status()
        return {model["id"] for model in answer.json()}

    def save_notebook(self, path: str, *sources: str, kernel: str = "") -> None:
        """Write a new notebook with these cells; `kernel` is a kernelspec other than usual."""
        self.save_cells(path, [(source, []) for source in sources], kernel=kernel)

    def save_cells(
        self, path: str, sources: Sequence[tuple[str, list[dict[str, Any]]]], *, kernel: str = ""
    ) -> None:
        """The same with the outputs of each cell beside its source."""
        cells = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "source": source,
                "metadata": {},
                "outputs": outputs,
                "execution_count": None,
            }
            for number, (source, outputs) in enumerate(sources)
        ]
        name = kernel or self.kernel
        spec = {"name": name, "display_name": name, "language": "python"}
        content = {
            "cells": cells,
            "metadata": {"kernelspec": spec},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        answer = self._session.put(
            f"{self.direct}/api/contents/{path}",
            json={"type": "notebook", "format": "json", "content": content},
            timeout=60,
        )
        answer.raise_for_status()

    def trust(self, path: str) -> None:
        """Have the page run the scripts in a notebook's outputs."""
        url = f"{self.direct}/api/contents/{path}/trust"
        self._session.post(url, timeout=60).raise_for_status()

    def saved_outputs(self, path: str, cell: int = 0) -> list[dict[str, Any]]:
        """The outputs of a cell in the saved file."""
        answer = self._session.get(f"{self.direct}/api/contents/{path}", timeout=60)
        answer.raise_for_status()
        outputs: list[dict[str, Any]] = answer.json()["content"]["cells"][cell]["outputs"]
        return outputs

    def end_kernels(self) -> None:
        """End every kernel of which the server knows."""
        wait_for_answer(f"{self.direct}/api")
        listed = self._session.get(f"{self.direct}/api/kernels", timeout=60)
        listed.raise_for_status()
        for model in listed.json():
            self._session.delete(f"{self.direct}/api/kernels/{model['id']}", timeout=60)

    def stop(self) -> None:
        """End everything."""
        self.cable.stop()
        self.stop_processes()
