"""Quantities of Kubernetes and of Spark."""

from decimal import Decimal
from typing import Any

import pytest

from jupyter_ext.launch_options.quantities import (
    bytes_text,
    kubernetes_amount,
    kubernetes_text,
    spark_bytes,
)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (2, "2"),
        (0.5, "0.5"),
        ("500m", "0.5"),
        (".5", "0.5"),
        ("1.5Gi", str(3 * 512 * 1024**2)),
        ("4Gi", str(4 * 1024**3)),
        ("4G", "4000000000"),
        ("128k", "128000"),
        ("1Ki", "1024"),
        ("2E", "2000000000000000000"),
        ("12e6", "12000000"),
        ("7Ei", str(7 * 2**60)),
        ("1E-1", "0.1"),
    ],
)
def test_amounts_of_kubernetes(value: Any, amount: str) -> None:
    assert kubernetes_amount(value) == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "4gi", "4 Gi", "-1", "0", "0Gi", "1\n", "1e999", "1K", "9" * 50, "8Ei", "1e99"),
        *(0, True, None, [], float("inf"), float("nan")),
    ],
)
def test_bad_amounts(value: Any) -> None:
    with pytest.raises(ValueError, match=r"quantity|not more than 0"):
        kubernetes_amount(value)


def test_quantities_as_manifests_have_them() -> None:
    assert [kubernetes_text(one) for one in (2, 2.0, 0.5, 0.0001, 4294967296, "4Gi", 1e3)] == [
        *("2", "2", "500m", "1m", "4294967296", "4Gi", "1000")
    ]


@pytest.mark.parametrize(
    ("value", "amount"),
    [("1k", 1024), ("512m", 2**29), ("4g", 2**32), ("4GB", 2**32), ("2t", 2**41), ("512", 2**29)],
)
def test_sizes_of_spark(value: str, amount: int) -> None:
    assert spark_bytes(value) == amount


@pytest.mark.parametrize("value", ["", "4Gi", "1.5g", "0g", "-1g", 4, None, "g", "4g\n"])
def test_bad_sizes_of_executors(value: Any) -> None:
    with pytest.raises(ValueError, match=r"size of Spark|not more than 0"):
        spark_bytes(value)


def test_bytes_for_people() -> None:
    assert [bytes_text(one) for one in (2**33, 2**29, 1000, 1.5, 0)] == [
        *("8Gi", "512Mi", "1000", "1.5", "0")
    ]
