"""What is known of each process of a fleet before it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """One process of a fleet."""

    name: str
    role: str
    """``front``, ``kernel-front``, ``lab``, ``gateway`` or ``store``."""
    url: str
