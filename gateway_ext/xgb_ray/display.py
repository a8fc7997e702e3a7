"""How results and progress look in a notebook: HTML with inline SVG, and plain text.

Needs no widget library and no script, so that it is the same after nbconvert and in papermill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway_ext.xgb_ray.rayjob.client import JobStatus
    from gateway_ext.xgb_ray.scoring.calibration import Calibration
    from gateway_ext.xgb_ray.training.result import TrainResult
    from gateway_ext.xgb_ray.training.train import Status
    from gateway_ext.xgb_ray.tuning.tune import TuneResult, TuneStatus

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")
_GREY = "#8888"
_POINTS = 200
# Room around a plot for the numbers on its axes.
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 18, 16
_TRIALS_SHOWN = 10

_Lines = Sequence[tuple[str, Sequence[float], str]]


def metric_plot(
    metrics: Mapping[str, Mapping[str, Sequence[float]]], best_round: int | None = None
) -> str:
    """One small SVG for each metric, a line for each eval set; "" if there is nothing to show."""
    by_metric: dict[str, list[tuple[str, Sequence[float], str]]] = {}
    for i, (data, values) in enumerate(metrics.items()):
        for metric, line in values.items():
            if len(line) > 1:
                colour = _COLOURS[i % len(_COLOURS)]
                by_metric.setdefault(metric, []).append((data, line, colour))
    return "".join(_plot(name, lines, best_round) for name, lines in by_metric.items())


def _plot(
    name: str,
    lines: _Lines,
    mark: int | None = None,
    legend: bool = True,
    unit: str = "round",
    width: int = 320,
    height: int = 150,
) -> str:
    finite = [v for _, line, _ in lines for v in line if abs(v) < float("inf")]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    last = max(len(line) for _, line, _ in lines) - 1
    across, down = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(position: float) -> float:
        return _LEFT + across * position / max(1, last)

    def y(value: float) -> float:
        return _TOP + down * (1 - (value - low) / span)

    parts = [
        f'<line x1="{_LEFT}" y1="{at:.1f}" x2="{width - _RIGHT}" y2="{at:.1f}" stroke="#8884"/>'
        f'<text x="{_LEFT - 4}" y="{at + 3:.1f}" text-anchor="end">{value:.4g}</text>'
        for at, value in ((y(low), low), (y(high), high))
    ]
    if mark is not None and 0 <= mark <= last:
        parts.append(
            f'<line x1="{x(mark):.1f}" y1="{_TOP}" x2="{x(mark):.1f}" y2="{_TOP + down}" '
            'stroke="#8888" stroke-dasharray="3"><title>best round</title></line>'
        )
    for data, line, colour in lines:
        shown = [*range(0, len(line), max(1, len(line) // _POINTS))]
        if shown[-1] != len(line) - 1:
            shown.append(len(line) - 1)
        points = " ".join(
            f"{x(r):.1f},{y(line[r]):.1f}" for r in shown if abs(line[r]) < float("inf")
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5">'
            f"<title>{escape(data)}</title></polyline>"
        )
    svg = (
        f'<svg width="{width}" height="{height}" role="img" font-size="10" fill="currentColor" '
        f'aria-label="{escape(name)} by {unit}">'
        f'<text x="{_LEFT}" y="11" font-size="12" font-weight="bold">{escape(name)}</text>'
        f'<text x="{_LEFT}" y="{height - 3}">1</text>'
        f'<text x="{width - _RIGHT}" y="{height - 3}" text-anchor="end">{unit} {last + 1}</text>'
        f"{''.join(parts)}</svg>"
    )
    if not legend:
        return f'<div style="display:inline-block">{svg}</div>'
    keys = "".join(
        f'<span style="margin-right:1em;white-space:nowrap"><span style="color:{colour}">&#9632;'
        f"</span> {escape(data)} {line[-1]:.5g}</span>"
        for data, line, colour in lines
    )
    return (
        '<div style="display:inline-block;vertical-align:top;margin-right:16px">'
        f'{svg}<div style="font-size:11px;padding-left:{_LEFT}px">{keys}</div></div>'
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
    # At the end the result, which has the plot, stands below.
    plot = "" if status.phase.final else metric_plot(status.metrics)
    return (
        f"<div><code>{escape(status_text(status))}</code>"
        f"{_bar(status.rounds, status.total)}{plot}</div>"
    )


def _bar(done: int, total: int) -> str:
    share = 100 * min(1.0, done / max(1, total))
    return (
        '<div style="background:#8883;width:376px;height:6px;margin:4px 0;border-radius:3px">'
        f'<div style="background:#1f77b4;width:{share:.1f}%;height:6px;border-radius:3px">'
        "</div></div>"
    )


def trial_line(trial: Mapping[str, Any], metric: str) -> str:
    """One line: how a trial of a search went."""
    value = "-" if trial["value"] is None else f"{trial['value']:.6g}"
    return f"{trial['state']}: round {trial['rounds']}  {metric} {value}  {trial['params']}"


def tune_text(status: TuneStatus) -> str:
    """One line: where a search is."""
    states = [t["state"] for t in status.trials]
    running = states.count("running")
    words = [
        f"{status.ended or 'searching'}: {len(states) - running}/{status.total} trials",
        f"{status.seconds:.1f} s",
    ]
    if running and not status.ended:
        words.insert(1, f"{running} running")
    if "failed" in states:
        words.append(f"{states.count('failed')} failed")
    known = [t["value"] for t in status.trials if t["value"] is not None]
    if known:
        best = min(known) if status.mode == "min" else max(known)
        words.append(f"best {status.metric} {best:.6g}")
    return "  ".join(words)


def tune_html(status: TuneStatus) -> str:
    """The live display of a search."""
    ended = sum(t["state"] != "running" for t in status.trials)
    return (
        f"<div><code>{escape(tune_text(status))}</code>{_bar(ended, status.total)}"
        f"{_trials(status.trials, status.metric, status.mode)}</div>"
    )


def tuned_html(result: TuneResult) -> str:
    """The readable summary of a search."""
    best = ", ".join(f"{k}={_short(v)}" for k, v in result.best_params.items())
    rows = [
        ("best", f"{result.metric} {result.best_value:.6g}"),
        ("parameters", best),
        ("trials", f"{len(result.trials)}, {result.state} after {result.seconds:.1f} s"),
    ]
    if result.error:
        rows.append(("failures", result.error))
    return (
        f"<div><b>XGBoost on Ray: search</b>{_table(rows)}"
        f"{_trials(result.trials, result.metric, result.mode)}</div>"
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _trials(trials: Sequence[Mapping[str, Any]], metric: str, mode: str) -> str:
    """The best trials as a table of what differs between them, and all as lines by round."""
    from gateway_ext.xgb_ray.tuning.tune import sorted_trials

    if not trials:
        return ""
    ordered = sorted_trials(trials, mode)
    names = list(dict.fromkeys(n for t in ordered for n in t["params"]))
    varied = [n for n in names if len({str(t["params"].get(n)) for t in ordered}) > 1]
    head = "".join(f"<th>{escape(n)}</th>" for n in (metric, "rounds", *varied, ""))
    body = "".join(
        f"<tr><td>{'' if t['value'] is None else format(t['value'], '.6g')}</td>"
        f"<td>{t['rounds']}</td>"
        + "".join(f"<td>{escape(_short(t['params'].get(n, '')))}</td>" for n in varied)
        + f"<td style='text-align:left'>{escape(t['state'])}</td></tr>"
        for t in ordered[:_TRIALS_SHOWN]
    )
    rest = len(ordered) - _TRIALS_SHOWN
    more = f"<div>and {rest} more in <code>.trials</code></div>" if rest > 0 else ""
    lines = [("trial", t["line"], _GREY) for t in reversed(ordered[1:]) if len(t["line"]) > 1]
    if len(ordered[0]["line"]) > 1:
        lines.append(("best", ordered[0]["line"], _COLOURS[0]))
    plot = _plot(metric, lines, legend=False, unit="report") if lines else ""
    return f"{plot}<table><tr>{head}</tr>{body}</table>{more}"


def job_html(status: JobStatus) -> str:
    """The live display of a job of a cluster: where it is, and what runs in it."""
    inner = "" if status.inside is None else status.inside._repr_html_()
    return f"<div><code>{escape(status.words)}</code>{inner}</div>"


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
        rows.append(("failures survived", "\n".join(str(e).strip() for e in incidents)))
    return (
        f"<div><b>XGBoost on Ray</b>{_table(rows)}"
        f"{metric_plot(result.evals_result, result.best_iteration)}{_importance(result)}</div>"
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    """Names with texts; a line of a text is a line of the cell."""
    cells = "".join(
        f'<tr><th style="text-align:left;vertical-align:top">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(text).replace(chr(10), "<br>")}</td></tr>'
        for name, text in rows
    )
    return f"<table>{cells}</table>"


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


def metrics_html(metrics: Mapping[str, float]) -> str:
    """Metrics of an evaluation."""
    return _table([(name, f"{value:.6g}") for name, value in metrics.items()])


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
