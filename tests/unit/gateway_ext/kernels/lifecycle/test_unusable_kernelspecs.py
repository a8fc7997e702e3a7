"""Kernelspecs that no kernel can be started with, and what users are told about them."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager  # type: ignore[import-untyped]

from gateway_ext.kernels.lifecycle.agent_processes import AgentProcesses
from gateway_ext.kernels.refusal import Refusal

DEEP = 100_000


def processes(folder: Path) -> AgentProcesses:
    specs = KernelSpecManager(kernel_dirs=[str(folder)])
    specs.ensure_native_kernel = False
    rest: dict[str, Any] = dict.fromkeys(("records", "uids", "membership", "links", "settings"))
    return AgentProcesses(
        SimpleNamespace(kernel_spec_manager=specs), seconds=1, log=logging.getLogger("test"), **rest
    )


def spec(metadata: str) -> str:
    return f'{{"argv": ["x"], "display_name": "x", "language": "x", "metadata": {metadata}}}'


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (spec('{"process_proxy": "local"}'), 400, "process_proxy in .* must be an object"),
        (spec('{"process_proxy": ["local"]}'), 400, "process_proxy in .* must be an object"),
        (spec('{"process_proxy": {"class_name": 5}}'), 400, "class_name must be a text"),
        (spec('{"process_proxy": {"class_name": ["a"]}}'), 400, "class_name must be a text"),
        (spec('{"process_proxy": {"config": "x"}}'), 400, "config must be an object"),
        (spec("[" * DEEP + "]" * DEEP), 500, "nested too deeply"),
        (spec('"x"'), 500, "cannot be read"),
        ("[]", 500, "cannot be read"),
        ("5", 500, "cannot be read"),
        ('{"argv": 5}', 500, "cannot be read"),
        ("{", 500, "cannot be read"),
    ],
)
async def test_the_answer_says_what_is_wrong(
    tmp_path: Path, content: str, status: int, words: str
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "kernel.json").write_text(content)
    with pytest.raises(Refusal, match=words) as refused:
        await processes(tmp_path).kernelspec("broken")
    assert refused.value.status == status


async def test_a_file_that_cannot_be_opened_is_named_in_the_log_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = processes(tmp_path)
    file = str(tmp_path / "broken" / "kernel.json")

    def fail(name: str) -> None:
        raise PermissionError(13, "Permission denied", file)

    monkeypatch.setattr(found._manager.kernel_spec_manager, "get_kernel_spec", fail)
    with pytest.raises(Refusal, match="cannot be read: Permission denied") as refused:
        await found.kernelspec("broken")
    assert file not in refused.value.message
    assert file in caplog.text
