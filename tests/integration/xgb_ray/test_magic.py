"""`%xgb_ray` in a real kernel, driven as a notebook does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient, KernelManager


@pytest.fixture(autouse=True)
def _nothing_stays() -> None:
    """Instead of the one for this process: the cluster is in the kernel."""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KernelManager, Any]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(Path(__file__).parents[3]))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(120)
    try:
        yield manager, client
    finally:
        run(client, "import ray; ray.shutdown()")
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def run(
    client: BlockingKernelClient, code: str, interrupt: tuple[KernelManager, str] | None = None
) -> list[dict[str, Any]]:
    """All output of a cell; with `interrupt`, ^C as soon as a display has that text."""
    message = client.execute(code)
    out: list[dict[str, Any]] = []
    deadline = time.monotonic() + 150
    while True:
        got = client.get_iopub_msg(timeout=max(1, deadline - time.monotonic()))
        if got["parent_header"].get("msg_id") != message:
            continue
        kind, content = got["msg_type"], got["content"]
        out.append({"type": kind, **content})
        if interrupt and interrupt[1] in content.get("data", {}).get("text/plain", ""):
            interrupt[0].interrupt_kernel()
            interrupt = None
        if kind == "status" and content["execution_state"] == "idle":
            return out


def text_of(output: list[dict[str, Any]]) -> str:
    parts = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in output]
    return "\n".join([*parts, *("\n".join(o["traceback"]) for o in output if o["type"] == "error")])


def test_train_in_a_cell(kernel: tuple[KernelManager, Any], parquet: Path) -> None:
    _, client = kernel
    assert "error" not in [o["type"] for o in run(client, "%load_ext gateway_ext.xgb_ray")]
    cell = f"""%%xgb_ray train -d {parquet} -l label -e train={parquet} -n 30 --out model
objective: binary:logistic
eval_metric: [auc, logloss]
max_depth: $depth
"""
    started = time.monotonic()
    run(client, "depth = 3")
    output = run(client, cell)
    seconds = time.monotonic() - started
    assert "error" not in [o["type"] for o in output], text_of(output)
    updates = [o for o in output if o["type"] == "update_display_data"]
    assert 1 <= len(updates) <= 2 * seconds + 2
    assert "round 30/30" in updates[-1]["data"]["text/plain"]
    assert "<svg" in updates[-1]["data"]["text/html"]
    result = [o for o in output if o["type"] == "display_data"][-1]
    assert "importance" in result["data"]["text/html"]
    assert "finished after 30 rounds" in result["data"]["text/plain"]
    shown = text_of(run(client, "print(model.booster.num_boosted_rounds(), model.params)"))
    assert shown.count("30 {") == 1
    assert "'max_depth': 3" in shown


def test_an_interrupt_keeps_the_model(kernel: tuple[KernelManager, Any], parquet: Path) -> None:
    manager, client = kernel
    output = run(
        client,
        f"%xgb_ray train -d {parquet} -l label -n 100000 -p max_depth=2 --out cut",
        interrupt=(manager, "training: round"),
    )
    assert "stopped after round" in text_of(output), text_of(output)
    # Cells in the queue behind it must not run.
    assert output[-2]["type"] == "error" or any(o["type"] == "error" for o in output)
    assert "True" in text_of(run(client, "print(cut.booster.num_boosted_rounds() == cut.rounds)"))
    check = """
from ray._private.state import actors
print("alive", [a["ActorClassName"] for a in actors().values() if a["State"] == "ALIVE"])
"""
    assert "alive []" in text_of(run(client, check))


def test_background_status_logs_and_stop(kernel: tuple[KernelManager, Any], parquet: Path) -> None:
    _, client = kernel
    run(client, f"%xgb_ray train -d {parquet} -l label -n 100000 --out slow --background")
    deadline = time.monotonic() + 60
    while "training: round" not in text_of(run(client, "%xgb_ray status slow")):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert "loaded" in text_of(run(client, "%xgb_ray logs"))
    assert "stopped after round" in text_of(run(client, "%xgb_ray stop"))
    assert "True" in text_of(run(client, "print(slow.booster is not None)"))


def test_predict_and_calibrate(
    kernel: tuple[KernelManager, Any], parquet: Path, tmp_path: Path
) -> None:
    _, client = kernel
    run(
        client, f"%xgb_ray train -d {parquet} -l label -p objective=binary:logistic --out m --quiet"
    )
    output = run(client, f"%xgb_ray predict -m $m -d {parquet} --to {tmp_path}/p --keep label")
    assert "files in" in text_of(output), text_of(output)
    output = run(client, f"%xgb_ray calibrate -d {tmp_path}/p -l label --out c")
    assert "Calibration(" in text_of(output), text_of(output)
    assert "<svg" in str([o.get("data", {}).get("text/html") for o in output])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train -d {p} -l lable", "has no column 'lable'; did you mean 'label'?"),
        ("train -d {p} -l label -p max_dept=3", "no parameter of this name: max_dept"),
        ("train -d $missing -l label", "there is no variable 'missing'"),
        ("train -d {p}", "required: -l/--label"),
        ("status nothing", "no training 'nothing'"),
    ],
)
def test_errors_are_one_clear_line(
    kernel: tuple[KernelManager, Any], parquet: Path, line: str, words: str
) -> None:
    _, client = kernel
    run(client, "%load_ext gateway_ext.xgb_ray")
    error = next(
        o for o in run(client, "%xgb_ray " + line.format(p=parquet)) if o["type"] == "error"
    )
    shown = "\n".join(error["traceback"])
    assert words in shown
    assert "ray::" not in shown
    assert 'File "' not in shown


def test_help_and_completion(kernel: tuple[KernelManager, Any], parquet: Path) -> None:
    _, client = kernel
    run(client, "%load_ext gateway_ext.xgb_ray")
    assert "--elastic" in text_of(run(client, "%xgb_ray train --help"))
    inspected = client.inspect("%xgb_ray", 8, reply=True, timeout=30)["content"]
    assert "Distributed XGBoost" in inspected["data"]["text/plain"]

    def completed(code: str) -> list[str]:
        matches: list[str] = client.complete(code, reply=True, timeout=60)["content"]["matches"]
        return matches

    assert "calibrate" in completed("%xgb_ray cal")
    assert "--elastic" in completed("%xgb_ray train --ela")
    assert "label" in completed(f"%xgb_ray train -d {parquet} -l lab")
