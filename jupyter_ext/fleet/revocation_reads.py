"""Whether the gateways of a fleet hear of tokens that the platform takes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.wire.routes import REVOCATIONS_ROUTE

LATE_SECONDS = 10.0
"""Gateways ask a lab every two seconds; one that has not heard from any for so long has trouble."""
YOUNG_SECONDS = 30.0
"""For so long after its start it is no trouble that a gateway has not heard from any: labs may be
starting as well."""
_ANSWER_SECONDS = 2.0


def revocation_reads(
    data_dir: DataDir, settings: Settings, gateways: Iterable[str]
) -> dict[str, dict[str, Any] | None]:
    """``{"read_seconds_ago", "problem"}`` of each of these gateways (docs/protocols.md); None for
    one that does not say, as one of the version before."""
    token = SecretFiles(data_dir.secrets).sign_service_token("gateway")

    def ask(name: str) -> dict[str, Any] | None:
        try:
            url = settings.url(name) + REVOCATIONS_ROUTE
            found: dict[str, Any] = call("GET", url, token, _ANSWER_SECONDS)
        except CallFailed:
            return None
        return found

    names = list(gateways)
    if not names:
        return {}
    # At once: each may be stuck.
    with ThreadPoolExecutor(len(names)) as threads:
        return dict(zip(names, threads.map(ask, names), strict=True))


def reads_line(
    reads: Mapping[str, Mapping[str, Any] | None], ages: Mapping[str, float | None]
) -> str:
    """The same for people; empty without gateways. `ages` has for how many seconds each has run,
    None if that is not known."""
    return f"Revocations: {'; '.join(_said(reads, ages))}" if reads else ""


def _said(
    reads: Mapping[str, Mapping[str, Any] | None], ages: Mapping[str, float | None]
) -> Iterator[str]:
    for name, read in reads.items():
        if read is None:
            yield f"{name} does not say whether it reads them"
            continue
        age, problem = read["read_seconds_ago"], read["problem"]
        if age is not None and age < LATE_SECONDS:
            yield f"{name} read them {age:.0f} s ago"
        elif age is None and _is_young(ages.get(name)):
            yield f"{name} has not read them yet, because it has just started"
        else:
            since = "never read them" if age is None else f"has not read them for {age:.0f} s"
            yield f"{name} {since} ({problem or 'no reason is known'})"


def _is_young(age: float | None) -> bool:
    return age is not None and age < YOUNG_SECONDS
