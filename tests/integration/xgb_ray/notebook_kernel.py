"""A real kernel, driven as a notebook does it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager

ROOT = Path(__file__).parents[3]


class NotebookKernel:
    """`run` gives all output of a cell."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str, interrupt: str = "", again: str = "") -> list[dict[str, Any]]:
        """All output of a cell; with `interrupt`, ^C as soon as it shows that text, and a second
        one as soon as it then shows `again`: two in a row may count as one."""
        message = self.client.execute(code)
        awaited = [text for text in (interrupt, again) if text]
        out: list[dict[str, Any]] = []
        deadline = time.monotonic() + 150
        while True:
            got = self.client.get_iopub_msg(timeout=max(1, deadline - time.monotonic()))
            if got["parent_header"].get("msg_id") != message:
                continue
            kind, content = got["msg_type"], got["content"]
            out.append({"type": kind, **content})
            shown = content.get("text", "") or content.get("data", {}).get("text/plain", "")
            if awaited and awaited[0] in shown:
                awaited.pop(0)
                self.manager.interrupt_kernel()
            if kind == "status" and content["execution_state"] == "idle":
                return out

    def text(self, code: str) -> str:
        """All text that a cell puts out."""
        return text_of(self.run(code))

    def restart(self) -> None:
        """All variables are gone."""
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(120)


@contextmanager
def notebook_kernel(environment: Mapping[str, str] | None = None) -> Iterator[NotebookKernel]:
    """A kernel in the root of the project; Ray in it is ended with it."""
    manager = KernelManager(kernel_name="python3")
    options = {} if environment is None else {"env": dict(environment)}
    manager.start_kernel(cwd=str(ROOT), **options)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(120)
    kernel = NotebookKernel(manager, client)
    try:
        yield kernel
    finally:
        kernel.run("import ray; ray.shutdown()")
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def text_of(output: list[dict[str, Any]]) -> str:
    """The text of output, errors included."""
    parts = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in output]
    return "\n".join([*parts, *("\n".join(o["traceback"]) for o in output if o["type"] == "error")])


def errors_of(output: list[dict[str, Any]]) -> list[str]:
    """The text of each error."""
    return ["\n".join(o["traceback"]) for o in output if o["type"] == "error"]
