"""The arguments of a command as they reach the pods: JSON, with data and models in the folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway_ext.xgb_ray.data.models import load_model
from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.rayjob.folder import JobFolder
from gateway_ext.xgb_ray.scoring.calibration import Calibration

# A name alone is none: it may be that of a container, or of who owns a folder.
_LOGIN = re.compile(r"://[^/@\s\"]*:[^/@\s\"]+@")


def refuse_logins(values: Any) -> None:
    """Refuse texts in `values`, however deep, that are URIs with a password.

    Raises:
        ParameterError: one is.
    """

    def plain(value: Any) -> Any:
        return dict(value) if isinstance(value, Mapping) else None

    if _LOGIN.search(json.dumps(values, default=plain, skipkeys=True)):
        raise ParameterError(
            "a URI with a login in it would be visible to everybody who may view the job: "
            "take it out, and give it to the pods by env_from_secrets (AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY) and to this kernel by its environment"
        )


def sendable(command: str, given: dict[str, Any], folder: JobFolder) -> dict[str, Any]:
    """The arguments as JSON: what is in memory goes into the folder, functions are refused."""
    out = {k: v for k, v in given.items() if v is not None}
    if "data" in out:
        out["data"] = _send_data(out["data"], "data", folder)
    if out.get("evals"):
        evals = out["evals"]
        pairs = [(d, n) for n, d in evals.items()] if isinstance(evals, Mapping) else evals
        sent = [(_send_data(d, f"eval-{n}", folder), n) for d, n in pairs]
        # The training data among the evals is built once there too.
        out["evals"] = [
            (out["data"] if d is given["data"] else s, n)
            for (d, n), (s, _) in zip(pairs, sent, strict=True)
        ]
    model = "model" if command == "predict" else "xgb_model"
    if model in out and not isinstance(out[model], str):
        folder.write("start.ubj", bytes(load_model(out[model]).save_raw("ubj")))
        out[model] = folder.path("start.ubj")
    if isinstance(out.get("calibration"), Calibration):
        folder.write("calibration-in.json", out["calibration"].to_json().encode())
        out["calibration"] = folder.path("calibration-in.json")
    if command == "predict" and "out" not in out:
        out["out"] = folder.path("predictions")
    try:
        json.dumps(out)
    except TypeError as error:
        raise ParameterError(
            "a rayjob accepts paths, data frames and plain values only: functions and other "
            f"objects of this kernel do not reach its pods ({error})"
        ) from error
    return out


def _send_data(data: Any, name: str, folder: JobFolder) -> Any:
    """Paths as they are; a frame or table as a Parquet file in the folder."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(data, str | list | tuple):
        return data
    if isinstance(data, pa.Table):
        table = data
    else:
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            raise ParameterError(
                f"a {type(data).__name__} of this kernel does not reach the pods of a rayjob: "
                "give Parquet paths, a data frame or an Arrow table"
            )
        table = pa.Table.from_pandas(data, preserve_index=False)
    file = io.BytesIO()
    # Several row groups, so that each worker has something to read.
    pq.write_table(table, file, row_group_size=max(1, min(1 << 17, len(table) // 16)))
    folder.write(f"data/{name}.parquet", file.getvalue())
    return folder.path(f"data/{name}.parquet")
