"""The options that there are, and what each of them must be wherever it is declared."""

from __future__ import annotations

from typing import Any

from jupyter_ext.launch_options.quantities import Parse, kubernetes_amount, spark_bytes

Schema = dict[str, Any] | bool
"""A JSON Schema, draft 2020-12."""

KUBERNETES_QUANTITY, SPARK_SIZE = "kubernetes-quantity", "spark-size"
"""The `format` of quantities, by which a page knows that bounds are amounts (cores, bytes)."""

FORMATS: dict[str, Parse] = {KUBERNETES_QUANTITY: kubernetes_amount, SPARK_SIZE: spark_bytes}

_LABEL_VALUE = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_LABEL_KEY = (
    r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
)
_OBJECT_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
_PRIORITY_CLASS = rf"^(?!system-){_OBJECT_NAME[1:]}"
"""Not those of the cluster's own pods, for which everybody else's kernels would be ended."""
_IMAGE = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}$"
_RESOURCE = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_RESERVED = "KERNEL_|FLEET_|JPY_|(?:HOME|USER|LOGNAME)$"
_VARIABLE = rf"^(?!{_RESERVED})[A-Za-z_][A-Za-z0-9_]{{0,254}}$"
LONGEST_VALUE = 4096

PATTERN_WORDS = {
    _LABEL_VALUE: "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both "
    "ends",
    _LABEL_KEY: "the key of a label of Kubernetes, for example example.com/pool",
    _OBJECT_NAME: "lower case letters, digits, '-' and '.', with a letter or digit at both ends",
    _PRIORITY_CLASS: "lower case letters, digits, '-' and '.', not beginning with system-",
    _IMAGE: "the name of an image, for example registry.example.com/team/python:3.13",
}
"""What patterns accept, for people."""

_QUANTITY: dict[str, Any] = {"type": ["number", "string"], "format": KUBERNETES_QUANTITY}


def _text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


PROPERTIES: dict[str, dict[str, Any]] = {
    "image": _text(_IMAGE),
    "cpus": _QUANTITY,
    "cpus_limit": _QUANTITY,
    "memory": _QUANTITY,
    "memory_limit": _QUANTITY,
    "resources": {
        "type": "object",
        "propertyNames": {"pattern": _RESOURCE},
        "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
    },
    "queue": _text(_LABEL_VALUE),
    "priority_class": _text(_PRIORITY_CLASS),
    "scheduler": _text(_OBJECT_NAME),
    "tolerations": {
        "type": "array",
        "maxItems": 50,
        "items": {
            "type": "object",
            "properties": {
                "key": _text(_LABEL_KEY),
                "operator": {"enum": ["Equal", "Exists"]},
                "value": {"type": "string", "pattern": rf"{_LABEL_VALUE}|^$"},
                "effect": {"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
                "tolerationSeconds": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
            },
            "additionalProperties": False,
        },
    },
    "node_pool": _text(_LABEL_VALUE),
    "environment": {
        "type": "object",
        "maxProperties": 100,
        "propertyNames": {"pattern": _VARIABLE},
        "additionalProperties": {
            "type": "string",
            "maxLength": LONGEST_VALUE,
            "pattern": r"^[^\x00]*$",
        },
    },
    "spark": {
        "type": "object",
        "propertyNames": {"pattern": r"^spark\.[A-Za-z0-9._-]{1,250}$"},
        "additionalProperties": {
            "type": ["string", "number", "boolean"],
            "maxLength": LONGEST_VALUE,
            "pattern": r"^[^\x00-\x1f]*$",
        },
    },
}
"""By name: the schema that each declaration of the option is combined with."""

QUANTITIES = frozenset({"cpus", "cpus_limit", "memory", "memory_limit"})
MEMORY = frozenset({"memory", "memory_limit"})

LISTED = frozenset({"resources", "spark"})
"""Objects of which only the members that a declaration lists may be chosen."""

SPARK_MEMBERS: dict[str, dict[str, Any]] = {
    **{
        f"spark.{part}.{name}": {"type": "string", "format": SPARK_SIZE}
        for part in ("driver", "executor")
        for name in ("memory", "memoryOverhead")
    },
    "spark.driver.cores": {"type": "integer", "minimum": 1},
    "spark.executor.cores": {"type": "integer", "minimum": 1},
    "spark.executor.instances": {"type": "integer", "minimum": 0},
}
"""What Spark's sizes must be: the same as `PROPERTIES`, for members of `spark`."""


def amount_of(name: str) -> Parse:
    """How the bounds of an option are compared with values that are texts."""
    return spark_bytes if name == "spark" else kubernetes_amount
