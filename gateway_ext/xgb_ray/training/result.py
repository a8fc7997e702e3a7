"""What a training leaves behind: the model, its metrics, and what happened on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.display import importance_html, metric_plot, summary_html

if TYPE_CHECKING:
    import xgboost as xgb


@dataclass(frozen=True)
class Event:
    """Something that happened: `at` seconds after the start, after `round` completed rounds.

    Kinds: "started", "repeated" (a task that loads hung and was started again), "loaded", "cuts",
    "joined" (all members of a group are connected), "prepared" (they have their matrices), "lost"
    (a worker died), "frozen" (it stopped answering), "recovered", "replaced", "resized", "resumed",
    "checkpoint", "stopped", "failed", "finished".
    """

    at: float
    kind: str
    round: int
    detail: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        words = ", ".join(f"{k} {v}" for k, v in self.detail.items())
        return f"{self.at:8.2f} s  round {self.round:<5d} {self.kind}{': ' if words else ''}{words}"


@dataclass
class TrainResult:
    """The result of `train`; also there, with what was reached, after a failure or a stop.

    Attributes:
        booster: the model, or None if no round was completed.
        evals_result: metrics by eval set and metric, one value a round, as in `xgboost.train`.
        events: what happened, failures and changes of the number of workers included.
        timings: seconds by phase, and "total".
        state: "finished", "stopped" or "failed".
        error: why it failed, in the user's words.
        rounds: completed rounds (those of a given model not counted).
        facts: rows, features, workers, peak memory of a worker, CPU seconds of all.
    """

    booster: xgb.Booster | None
    evals_result: dict[str, dict[str, list[float]]]
    events: list[Event]
    timings: dict[str, float]
    state: str
    rounds: int
    params: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def failures(self) -> list[Event]:
        """Workers that were lost on the way."""
        return [e for e in self.events if e.kind in ("lost", "frozen")]

    @property
    def best_iteration(self) -> int | None:
        """The best round under early stopping, or None."""
        if self.booster is None or self.booster.attr("best_iteration") is None:
            return None
        return int(self.booster.best_iteration)

    def importance(self, kind: str = "gain") -> dict[str, float]:
        """Features by their importance, the largest first.

        Args:
            kind: "gain", "weight", "cover", "total_gain" or "total_cover".
        """
        if self.booster is None:
            return {}
        scores: dict[str, Any] = self.booster.get_score(importance_type=kind)
        return dict(sorted(scores.items(), key=lambda item: -item[1]))

    def __repr__(self) -> str:
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        lines = [f"{self.state} after {rounds} in {self.timings.get('total', 0):.1f} s"]
        for data, metrics in self.evals_result.items():
            for metric, values in metrics.items():
                if values:
                    lines.append(f"{data}-{metric}: {values[-1]:.6g}")
        if self.failures:
            lines.append(f"survived {len(self.failures)} lost workers")
        if self.error:
            lines.append(self.error)
        return "TrainResult(" + "; ".join(lines) + ")"

    def _repr_html_(self) -> str:
        facts = self.facts
        rows = [
            ("state", self.state + (f": {self.error}" if self.error else "")),
            ("rounds", str(self.rounds)),
            ("data", f"{facts.get('rows', 0):,} rows, {facts.get('features', 0):,} features"),
            ("workers", str(facts.get("workers", ""))),
            ("time", ", ".join(f"{k} {v:.1f} s" for k, v in self.timings.items() if v >= 0.05)),
        ]
        if self.best_iteration is not None:
            rows.insert(2, ("best round", str(self.best_iteration)))
        incidents = [e for e in self.events if e.kind in ("lost", "frozen", "recovered", "resized")]
        if incidents:
            rows.append(("failures survived", "\n".join(str(e).strip() for e in incidents)))
        plot = metric_plot(self.evals_result, self.best_iteration)
        return summary_html("XGBoost on Ray", rows, plot, importance_html(self.importance()))
