"""The progress and the result of a search: the best parameters, their model, and all trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.display import progress_html, short, summary_html, trials_html

if TYPE_CHECKING:
    import xgboost as xgb


@dataclass
class TuneResult:
    """The result of `tune`.

    Attributes:
        best_params: all parameters of the best trial.
        best_value: `metric` of its model: after its last round, or its best round if it stopped
            early.
        booster: its model.
        trials: of each trial `params`, `value`, `rounds`, `state` ("finished", "ended early",
            "stopped" or "failed") and `line`, its values by round; the best one first.
        state: "finished", or "stopped" if the search was interrupted.
        error: why trials failed, if some did.
    """

    best_params: dict[str, Any]
    best_value: float
    metric: str
    booster: xgb.Booster | None
    trials: list[dict[str, Any]]
    mode: str = "min"
    seconds: float = 0.0
    state: str = "finished"
    error: str = ""

    def __repr__(self) -> str:
        return (
            f"TuneResult({self.metric} {self.best_value:.6g} with {self.best_params}; "
            f"{self.state} after {len(self.trials)} trials in {self.seconds:.1f} s)"
        )

    def _repr_html_(self) -> str:
        best = ", ".join(f"{k}={short(v)}" for k, v in self.best_params.items())
        rows = [
            ("best", f"{self.metric} {self.best_value:.6g}"),
            ("parameters", best),
            ("trials", f"{len(self.trials)}, {self.state} after {self.seconds:.1f} s"),
        ]
        if self.error:
            rows.append(("failures", self.error))
        trials = trials_html(sorted_trials(self.trials, self.mode), self.metric)
        return summary_html("XGBoost on Ray: search", rows, trials)


@dataclass(frozen=True)
class TuneStatus:
    """A search at one moment: its trials as in `TuneResult`, those that run ("running") too."""

    metric: str
    mode: str
    total: int
    rounds: int
    seconds: float
    trials: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""

    def __str__(self) -> str:
        states = [t["state"] for t in self.trials]
        running = states.count("running")
        words = [
            f"{self.ended or 'searching'}: {len(states) - running}/{self.total} trials",
            f"{self.seconds:.1f} s",
        ]
        if running and not self.ended:
            words.insert(1, f"{running} running")
        if "failed" in states:
            words.append(f"{states.count('failed')} failed")
        known = [t["value"] for t in self.trials if t["value"] is not None]
        if known:
            best = min(known) if self.mode == "min" else max(known)
            words.append(f"best {self.metric} {best:.6g}")
        return "  ".join(words)

    def _repr_html_(self) -> str:
        ended = sum(t["state"] != "running" for t in self.trials)
        trials = trials_html(sorted_trials(self.trials, self.mode), self.metric)
        return progress_html(str(self), ended, self.total, trials)


def trial_line(trial: Mapping[str, Any], metric: str) -> str:
    """One line: how a trial of a search went."""
    value = "-" if trial["value"] is None else f"{trial['value']:.6g}"
    return f"{trial['state']}: round {trial['rounds']}  {metric} {value}  {trial['params']}"


def sorted_trials(trials: Iterable[Mapping[str, Any]], mode: str) -> list[dict[str, Any]]:
    """Trials with the best first, those without a value last."""

    def rank(trial: Mapping[str, Any]) -> tuple[bool, float]:
        value = trial["value"]
        if value is None or math.isnan(value):
            return True, 0.0
        return False, value if mode == "min" else -value

    return sorted((dict(t) for t in trials), key=rank)
