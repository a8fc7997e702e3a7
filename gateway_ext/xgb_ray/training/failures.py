"""The policy for how many failures a training survives. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FailurePolicy:
    """How many lost workers a training survives (-1: any number)."""

    max_failures: int = 3

    def may_go_on(self, failures: int) -> bool:
        return self.max_failures < 0 or failures <= self.max_failures
