"""Renders results and progress for a notebook: HTML with inline SVG, and plain text.

Needs no widget library and no scripts, so that it also works after nbconvert and in papermill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

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
                color = _COLOURS[i % len(_COLOURS)]
                by_metric.setdefault(metric, []).append((data, line, color))
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
    for data, line, color in lines:
        shown = [*range(0, len(line), max(1, len(line) // _POINTS))]
        if shown[-1] != len(line) - 1:
            shown.append(len(line) - 1)
        points = " ".join(
            f"{x(r):.1f},{y(line[r]):.1f}" for r in shown if abs(line[r]) < float("inf")
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5">'
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
        f'<span style="margin-right:1em;white-space:nowrap"><span style="color:{color}">&#9632;'
        f"</span> {escape(data)} {line[-1]:.5g}</span>"
        for data, line, color in lines
    )
    return (
        '<div style="display:inline-block;vertical-align:top;margin-right:16px">'
        f'{svg}<div style="font-size:11px;padding-left:{_LEFT}px">{keys}</div></div>'
    )


def progress_html(words: str, done: int, total: int, more: str = "") -> str:
    """The live display of something that is under way: one line, a bar, and more HTML."""
    return f"<div><code>{escape(words)}</code>{_bar(done, total)}{more}</div>"


def _bar(done: int, total: int) -> str:
    share = 100 * min(1.0, done / max(1, total))
    return (
        '<div style="background:#8883;width:376px;height:6px;margin:4px 0;border-radius:3px">'
        f'<div style="background:#1f77b4;width:{share:.1f}%;height:6px;border-radius:3px">'
        "</div></div>"
    )


def summary_html(title: str, rows: Sequence[tuple[str, str]], *parts: str) -> str:
    """The readable summary of what has ended: a table, and more HTML below it."""
    return f"<div><b>{escape(title)}</b>{_table(rows)}{''.join(parts)}</div>"


def short(value: Any) -> str:
    """A parameter's value for a table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def trials_html(ordered: Sequence[Mapping[str, Any]], metric: str) -> str:
    """The best trials as a table of what differs between them, and all as lines by round.

    Args:
        ordered: the best first; of each `params`, `value`, `rounds`, `state` and `line`.
    """
    if not ordered:
        return ""
    names = list(dict.fromkeys(n for t in ordered for n in t["params"]))
    varied = [n for n in names if len({str(t["params"].get(n)) for t in ordered}) > 1]
    head = "".join(f"<th>{escape(n)}</th>" for n in (metric, "rounds", *varied, ""))
    body = "".join(
        f"<tr><td>{'' if t['value'] is None else format(t['value'], '.6g')}</td>"
        f"<td>{t['rounds']}</td>"
        + "".join(f"<td>{escape(short(t['params'].get(n, '')))}</td>" for n in varied)
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


def _table(rows: Sequence[tuple[str, str]]) -> str:
    """Names with texts; a line of a text is a line of the cell."""
    cells = "".join(
        f'<tr><th style="text-align:left;vertical-align:top">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(text).replace(chr(10), "<br>")}</td></tr>'
        for name, text in rows
    )
    return f"<table>{cells}</table>"


def importance_html(importance: Mapping[str, float], top: int = 10) -> str:
    """The first features of those that are given, the most important first."""
    scores = list(importance.items())[:top]
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


def curve_html(words: str, x: Sequence[float], y: Sequence[float]) -> str:
    """The curve of a calibration: `x` and `y` from 0 to 1, of the same length."""
    n = len(x)
    step = max(1, n // 400)
    at = [*range(0, n, step), n - 1]
    points = " ".join(f"{10 + 160 * x[i]:.1f},{170 - 160 * y[i]:.1f}" for i in at)
    return (
        f"<div>{escape(words)}<br>"
        '<svg width="180" height="180" role="img" aria-label="calibration curve">'
        '<line x1="10" y1="170" x2="170" y2="10" stroke="#888" stroke-dasharray="3"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f77b4" stroke-width="1.5"/></svg></div>'
    )


def bundle(text: str, html: str) -> dict[str, Any]:
    """The MIME bundle for a front end, which shows the richest format that it supports."""
    return {"text/plain": text, "text/html": html}
