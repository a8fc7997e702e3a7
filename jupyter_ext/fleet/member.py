"""What is known of each process of a fleet before it runs."""

from __future__ import annotations

from dataclasses import dataclass

CHECKS = {
    "front": "/front-health",
    "kernel-front": "/front-health",
    "lab": "/api",
    "gateway": "/api",
    "store": "/healthz",
}
"""The path that the supervisor requests from each kind of program. None of these needs a token,
another program, the database or the disk."""


@dataclass(frozen=True)
class Member:
    """One process of a fleet."""

    name: str
    role: str
    """``front``, ``kernel-front``, ``lab``, ``gateway`` or ``store``."""
    url: str
