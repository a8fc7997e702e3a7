"""`%xgb_ray` in a real kernel, driven as a notebook does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.xgb_ray.notebook_kernel import (
    NotebookKernel,
    errors_of,
    notebook_kernel,
    text_of,
)


@pytest.fixture(autouse=True)
def _nothing_stays() -> None:
    """Instead of the one for this process: the cluster is in the kernel."""


MODELS = """
import numpy, xgboost
from gateway_ext.xgb_ray.training.result import TrainResult
fitted = xgboost.train({}, xgboost.DMatrix(numpy.eye(2), label=[0, 1]), 1)
unfinished = TrainResult(None, {}, [], {}, "stopped", 0, {})
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[NotebookKernel]:
    with notebook_kernel() as kernel:
        assert not errors_of(kernel.run("%load_ext gateway_ext.xgb_ray" + MODELS))
        yield kernel


def test_train_in_a_cell(kernel: NotebookKernel, parquet: Path) -> None:
    cell = f"""%%xgb_ray train -d {parquet} -l label -e train={parquet} -n 400 --out model
objective: binary:logistic
eval_metric: [auc, logloss]
max_depth: $depth
"""
    started = time.monotonic()
    kernel.run("depth = 3")
    output = kernel.run(cell)
    seconds = time.monotonic() - started
    assert not errors_of(output), text_of(output)
    # Nothing of Ray's own between the picture and the result.
    assert [o["text"] for o in output if o["type"] == "stream"] == []
    updates = [o for o in output if o["type"] == "update_display_data"]
    assert 1 <= len(updates) <= 2 * seconds + 2
    assert "round 400/400" in updates[-1]["data"]["text/plain"]
    # The plot is there while it trains; then it is the result's, and there once.
    assert any("<svg" in u["data"]["text/html"] for u in updates[:-1])
    assert "<svg" not in updates[-1]["data"]["text/html"]
    result = [o for o in output if o["type"] == "display_data"][-1]
    assert "importance" in result["data"]["text/html"]
    assert result["data"]["text/html"].count("<svg") == 2
    assert "finished after 400 rounds" in result["data"]["text/plain"]
    shown = text_of(kernel.run("print(model.booster.num_boosted_rounds(), model.params)"))
    assert shown.count("400 {") == 1
    assert "'max_depth': 3" in shown


def test_an_interrupt_keeps_the_model(kernel: NotebookKernel, parquet: Path) -> None:
    output = kernel.run(
        f"%xgb_ray train -d {parquet} -l label -n 100000 -p max_depth=2 --out cut",
        interrupt="training: round",
    )
    assert "stopped after round" in text_of(output), text_of(output)
    assert errors_of(output), "cells in the queue behind it must not run"
    assert "True" in text_of(kernel.run("print(cut.booster.num_boosted_rounds() == cut.rounds)"))
    check = """
from ray._private.state import actors
print("alive", [a["ActorClassName"] for a in actors().values() if a["State"] == "ALIVE"])
"""
    assert "alive []" in text_of(kernel.run(check))


def test_a_second_interrupt_does_not_wait_for_the_round(
    kernel: NotebookKernel, parquet: Path
) -> None:
    kernel.run("""import functools, time, xgboost
from gateway_ext.xgb_ray.training import train as training

class Stuck(xgboost.callback.TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        time.sleep(0.2 if epoch < 10 else 3600)

begin = training.start_training
training.start_training = functools.partial(begin, callbacks=[Stuck()])
""")
    try:
        output = kernel.run(
            f"%xgb_ray train -d {parquet} -l label -n 1000 --out cut",
            interrupt="training: round 10/",
            again="interrupt again to stop at once",
        )
    finally:
        kernel.run("training.start_training = begin")
    assert "interrupt again to stop at once" in text_of(output)
    assert "stopped after round" in text_of(output), text_of(output)
    # Not of every round there is a copy when it is stopped at once.
    shown = kernel.text("""rounds = cut.booster.num_boosted_rounds()
print(rounds, 0 < rounds <= 11, cut.state)""")
    assert "True stopped" in shown, shown


def test_background_status_logs_and_stop(kernel: NotebookKernel, parquet: Path) -> None:
    kernel.run(f"%xgb_ray train -d {parquet} -l label -n 100000 --out slow --background")
    deadline = time.monotonic() + 60
    while "training: round" not in text_of(kernel.run("%xgb_ray status slow")):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert "loaded" in text_of(kernel.run("%xgb_ray logs"))
    again = f"%xgb_ray train -d {parquet} -l label --out slow"
    assert "slow is still being made: give another --out" in kernel.text(again)
    assert "stopped after round" in text_of(kernel.run("%xgb_ray stop"))
    assert "it had ended already; see slow" in kernel.text("%xgb_ray stop slow")
    assert "True" in text_of(kernel.run("print(slow.booster is not None)"))


def test_predict_and_calibrate(kernel: NotebookKernel, parquet: Path, tmp_path: Path) -> None:
    kernel.run(f"%xgb_ray train -d {parquet} -l label -p objective=binary:logistic --out m --quiet")
    output = kernel.run(f"%xgb_ray predict -m $m -d {parquet} --to {tmp_path}/p --keep label")
    assert "files in" in text_of(output), text_of(output)
    output = kernel.run(f"%xgb_ray calibrate -d {tmp_path}/p -l label --out c")
    assert "Calibration(" in text_of(output), text_of(output)
    assert "<svg" in str([o.get("data", {}).get("text/html") for o in output])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train -d {p} -l lable", "has no column 'lable'; did you mean 'label'?"),
        ("train -d {p} -l label -p max_dept=3", "max_dept; did you mean 'max_depth'?"),
        ("train -d '' -l label", "the path of the data is empty"),
        ("predict -m $unfinished -d {p}", "did not complete a round: there is no model"),
        ("train -d {p} -l label --model $unfinished", "did not complete a round"),
        ("predict -m $fitted -d {p} --to /dev/null/p", "cannot be written to /dev/null/p"),
        ("train -d $missing -l label", "there is no variable 'missing'"),
        ("train -d {p}", "required: -l/--label"),
        ("status nothing", "no training 'nothing'"),
    ],
)
def test_errors_are_one_clear_line(
    kernel: NotebookKernel, parquet: Path, line: str, words: str
) -> None:
    (shown,) = errors_of(kernel.run("%xgb_ray " + line.format(p=parquet)))
    assert words in shown
    assert "ray::" not in shown
    assert 'File "' not in shown


def test_help_and_completion(kernel: NotebookKernel, parquet: Path) -> None:
    assert "--elastic" in text_of(kernel.run("%xgb_ray train --help"))
    inspected = kernel.client.inspect("%xgb_ray", 8, reply=True, timeout=30)["content"]
    assert "Distributed XGBoost" in inspected["data"]["text/plain"]

    def completed(code: str) -> list[str]:
        reply = kernel.client.complete(code, reply=True, timeout=60)
        matches: list[str] = reply["content"]["matches"]
        return matches

    assert completed("%xgb_ray cal") == ["calibrate"]
    # Alone: names of Python's would come first.
    assert "train" in completed("%xgb_ray ")
    assert not {"and", "abs"} & set(completed("%xgb_ray "))
    assert completed("%xgb_ray train --ela") == ["--elastic"]
    assert completed(f"%xgb_ray train -d {parquet} -l lab") == ["label"]
    kernel.run("frame_of_mine = 1")
    assert completed("%xgb_ray train -d $frame_of_m") == ["$frame_of_mine"]
    assert "print" in completed("pri")
