"""The progress of a training."""

from __future__ import annotations

from dataclasses import dataclass

from gateway_ext.xgb_ray.display import metric_plot, progress_html
from gateway_ext.xgb_ray.training.phases import Phase


@dataclass(frozen=True)
class Status:
    """A training at one moment; `eta` in seconds, or None while it cannot be told."""

    phase: Phase
    rounds: int
    total: int
    metrics: dict[str, dict[str, list[float]]]
    alive: int
    workers: int
    seconds: float
    eta: float | None
    failures: int

    def __str__(self) -> str:
        words = [
            f"{self.phase.value}: round {self.rounds}/{self.total}",
            f"{self.alive}/{self.workers} workers",
            f"{self.seconds:.1f} s",
        ]
        if self.eta is not None and self.rounds:
            words.append(f"about {self.eta:.0f} s left")
        if self.failures:
            words.append(f"{self.failures} lost")
        for data, metrics in self.metrics.items():
            words += [f"{data}-{m} {v[-1]:.6g}" for m, v in metrics.items() if v]
        return "  ".join(words)

    def _repr_html_(self) -> str:
        # At the end the result, which has the plot, stands below.
        plot = "" if self.phase.final else metric_plot(self.metrics)
        return progress_html(str(self), self.rounds, self.total, plot)
