"""How results and progress look in a notebook: HTML with inline SVG, and plain text.

Needs no widget library and no script, so that it is the same after nbconvert and in papermill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway_ext.xgb_ray.calibration import Calibration
    from gateway_ext.xgb_ray.result import TrainResult
    from gateway_ext.xgb_ray.training import Status

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")
_POINTS = 200


def metric_plot(
    metrics: Mapping[str, Mapping[str, Sequence[float]]], width: int = 260, height: int = 110
) -> str:
    """One small SVG for each metric, a line for each eval set; "" if there is nothing to show."""
    by_metric: dict[str, list[tuple[str, Sequence[float]]]] = {}
    for data, values in metrics.items():
        for metric, line in values.items():
            if len(line) > 1:
                by_metric.setdefault(metric, []).append((data, line))
    return "".join(_plot(name, lines, width, height) for name, lines in by_metric.items())


def _plot(name: str, lines: Sequence[tuple[str, Sequence[float]]], width: int, height: int) -> str:
    finite = [v for _, line in lines for v in line if abs(v) < float("inf")]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    rounds = max(len(line) for _, line in lines)
    parts = []
    for i, (data, line) in enumerate(lines):
        step = max(1, len(line) // _POINTS)
        shown = [*range(0, len(line), step)]
        if shown[-1] != len(line) - 1:
            shown.append(len(line) - 1)
        points = " ".join(
            f"{8 + (width - 16) * r / max(1, rounds - 1):.1f},"
            f"{height - 20 - (height - 40) * (line[r] - low) / span:.1f}"
            for r in shown
            if abs(line[r]) < float("inf")
        )
        colour = _COLOURS[i % len(_COLOURS)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{8 + 90 * i}" y="{height - 4}" font-size="10" fill="{colour}">'
            f"{escape(data)} {line[-1]:.5g}</text>"
        )
    return (
        f'<svg width="{width}" height="{height}" style="margin-right:12px" role="img" '
        f'aria-label="{escape(name)} by round">'
        f'<text x="8" y="11" font-size="11" font-weight="bold" fill="currentColor">{escape(name)}'
        f' <tspan font-weight="normal">({low:.4g} … {high:.4g})</tspan></text>'
        f"{''.join(parts)}</svg>"
    )


def status_text(status: Status) -> str:
    """One line: where a training is."""
    words = [
        f"{status.phase.value}: round {status.rounds}/{status.total}",
        f"{status.alive}/{status.workers} workers",
        f"{status.seconds:.1f} s",
    ]
    if status.eta is not None and status.rounds:
        words.append(f"about {status.eta:.0f} s left")
    if status.failures:
        words.append(f"{status.failures} lost")
    for data, metrics in status.metrics.items():
        words += [f"{data}-{m} {v[-1]:.6g}" for m, v in metrics.items() if v]
    return "  ".join(words)


def status_html(status: Status) -> str:
    """The live display of a training."""
    share = 100 * status.rounds / max(1, status.total)
    bar = (
        '<div style="background:#8883;width:300px;height:6px;margin:4px 0">'
        f'<div style="background:#1f77b4;width:{share:.1f}%;height:6px"></div></div>'
    )
    return (
        f"<div><code>{escape(status_text(status))}</code>{bar}{metric_plot(status.metrics)}</div>"
    )


def result_html(result: TrainResult) -> str:
    """The readable summary of a training."""
    facts = result.facts
    rows = [
        ("state", result.state + (f": {result.error}" if result.error else "")),
        ("rounds", str(result.rounds)),
        ("data", f"{facts.get('rows', 0):,} rows, {facts.get('features', 0):,} features"),
        ("workers", str(facts.get("workers", ""))),
        ("time", ", ".join(f"{k} {v:.1f} s" for k, v in result.timings.items() if v >= 0.05)),
    ]
    if result.best_iteration is not None:
        rows.insert(2, ("best round", str(result.best_iteration)))
    incidents = [e for e in result.events if e.kind in ("lost", "frozen", "recovered", "resized")]
    if incidents:
        rows.append(("failures survived", "<br>".join(escape(str(e)) for e in incidents)))
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">'
        f"{value if name == 'failures survived' else escape(value)}</td></tr>"
        for name, value in rows
    )
    return (
        f"<div><b>XGBoost on Ray</b><table>{cells}</table>"
        f"{metric_plot(result.evals_result)}{_importance(result)}</div>"
    )


def _importance(result: TrainResult, top: int = 10) -> str:
    scores = list(result.importance().items())[:top]
    if not scores:
        return ""
    most = float(scores[0][1]) or 1.0
    bars = "".join(
        f"<tr><td style='text-align:left'>{escape(name)}</td><td style='text-align:left'>"
        f"<div style='background:#1f77b4;height:8px;width:{140 * float(value) / most:.0f}px'>"
        f"</div></td><td>{float(value):.4g}</td></tr>"
        for name, value in scores
    )
    return f"<details open><summary>importance (gain)</summary><table>{bars}</table></details>"


def calibration_html(calibration: Calibration) -> str:
    """The curve of a calibration."""
    n = len(calibration.x)
    step = max(1, n // 400)
    at = [*range(0, n, step), n - 1]
    points = " ".join(
        f"{10 + 160 * calibration.x[i]:.1f},{170 - 160 * calibration.y[i]:.1f}" for i in at
    )
    return (
        f"<div>{escape(repr(calibration))}<br>"
        '<svg width="180" height="180" role="img" aria-label="calibration curve">'
        '<line x1="10" y1="170" x2="170" y2="10" stroke="#888" stroke-dasharray="3"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="1.5"/></svg></div>'
    )


def bundle(text: str, html: str) -> dict[str, Any]:
    """What a front end is sent: it shows the richest that it can."""
    return {"text/plain": text, "text/html": html}
