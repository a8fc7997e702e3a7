"""Quantities as people write them: those of Kubernetes (`500m`, `4Gi`) and of Spark (`4g`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

Parse = Callable[[Any], Decimal]
"""The amount of a value; raises ValueError."""

_KUBERNETES = re.compile(
    r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|[kMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?"
)
_LONGEST = 40
LARGEST = 2**63 - 1
"""The greatest amount that Kubernetes, and the limits of Linux, can count."""
_SCALES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_SPARK = re.compile(r"([0-9]{1,15})([kmgtp]?)b?", re.IGNORECASE)


def kubernetes_amount(value: Any) -> Decimal:
    """The amount of a Kubernetes quantity (cores, bytes), which is above 0: a number or a text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a quantity")
    text = str(value)
    if not isinstance(value, str):
        amount = Decimal(text)
        if not amount.is_finite():
            raise ValueError(f"{text} is not a quantity")
    else:
        found = _KUBERNETES.fullmatch(text) if len(text) <= _LONGEST else None
        if found is None:
            raise ValueError(
                f"{text[:_LONGEST]!r} is not a quantity: write a number, or one with a unit, for "
                "example 500m or 4Gi"
            )
        number, unit = found[1], found[2] or ""
        try:
            scale = _SCALES[unit] if unit in _SCALES else Decimal(f"1{unit}")
            amount = Decimal(number) * scale
        except InvalidOperation as error:
            raise ValueError(f"{text!r} is not a quantity") from error
    if amount <= 0:
        raise ValueError(f"{text} is not more than 0")
    if amount > LARGEST:
        raise ValueError(f"{text} is more than a quantity can be, which is 2^63 - 1")
    return amount


def kubernetes_text(value: Any) -> str:
    """A quantity as manifests have it: a text is kept, a number is written out."""
    if isinstance(value, str):
        return value
    amount = Decimal(str(value)).normalize()
    whole = amount == amount.to_integral_value()
    return (
        f"{amount:f}" if whole else f"{(amount * 1000).to_integral_value(rounding='ROUND_UP'):f}m"
    )


def spark_bytes(value: Any) -> Decimal:
    """The bytes of a size as Spark has it: `4g` is 4 times 1024³, a number without a unit is in
    MiB."""
    found = _SPARK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a size of Spark: write for example 512m or 4g")
    power = " kmgtp".index(found[2].lower()) if found[2] else 2
    amount = Decimal(found[1]) * 1024**power
    if amount <= 0:
        raise ValueError(f"{value} is not more than 0")
    return amount


def bytes_text(amount: int | float) -> str:
    """A number of bytes for people: in the greatest unit of which it is a multiple."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        size = int(_SCALES[unit])
        if amount and amount % size == 0:
            return f"{int(amount) // size}{unit}"
    return f"{amount:g}" if isinstance(amount, float) else str(amount)
