"""Settings of a rayjob, as users write them, to its options."""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.rayjob.manifests import RayJobOptions

# `workers` and `cpus` are arguments of the commands themselves.
JOB_SETTINGS = (
    "storage",
    *(f.name for f in fields(RayJobOptions) if f.name not in ("workers", "cpus")),
)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises `ParameterError` for a name that is no setting of a rayjob."""
    for name in settings:
        if name in ("workers", "cpus"):
            raise ParameterError(f"give --{name}, not --job {name}=")
        if name not in JOB_SETTINGS:
            near = difflib.get_close_matches(name, JOB_SETTINGS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f": {', '.join(JOB_SETTINGS)}"
            raise ParameterError(f"a rayjob has no setting {name!r}{hint}")


def make_options(
    settings: Mapping[str, Any], out: str, workers: int, cpus: float
) -> tuple[RayJobOptions, str]:
    """Options and storage of a rayjob.

    Args:
        settings: by the names in `JOB_SETTINGS`; `ray_version` is that of this kernel and `name`
            is made from `out`, the variable for the result, unless given.

    Raises:
        ParameterError: one is unknown, missing or of the wrong kind.
    """
    check_settings(settings)
    given = dict(settings)
    storage = str(given.pop("storage", "") or "")
    for name in ("image", "storage"):
        if not (storage if name == "storage" else given.get(name)):
            raise ParameterError(
                f"a rayjob needs {name}=: give --job {name}=…, or set it for all jobs with "
                f"%config XGBRayMagics.rayjob = {{{name!r}: …}}"
            )
    if float(cpus) != int(cpus):
        raise ParameterError(f"a worker of a rayjob has whole CPUs, not --cpus {cpus:g}")
    if "ray_version" not in given:
        import ray

        given["ray_version"] = ray.__version__
    given.setdefault("name", name_for(out))
    options = RayJobOptions(**given, workers=workers, cpus=int(cpus))
    options.check()
    return options, storage


def name_for(out: str) -> str:
    """A unique name for a job, from the variable for its result."""
    words = re.sub(r"[^a-z0-9]+", "-", out.lower()).strip("-")[:30].strip("-")
    return f"xgb-{words or 'job'}-{secrets.token_hex(3)}"
