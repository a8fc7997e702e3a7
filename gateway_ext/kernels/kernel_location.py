"""Where a kernel runs, for people: on a gateway's machine, or under which name in which cluster."""

from collections.abc import Mapping
from typing import Any


def kernel_location(process: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The place of the process in a kernel's record; None while none is recorded.

    `kind` is `local`, `pod`, `sparkapplication` (both with `namespace` and `name`) or `yarn` (with
    `application_id`, which is empty until the application is submitted).
    """
    if not process:
        return None
    if "application_id" in process:
        return {"kind": "yarn", "application_id": str(process["application_id"])}
    if "namespace" in process:
        operator = "SparkOperator" in str(process.get("proxy") or "")
        return {
            "kind": "sparkapplication" if operator else "pod",
            "namespace": str(process["namespace"]),
            "name": str(process["name"]),
        }
    return {"kind": "local"}
