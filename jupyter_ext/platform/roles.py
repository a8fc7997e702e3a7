"""Roles: what somebody may do in a project."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A role in a project; each role includes the previous ones."""

    VIEWER = "viewer"
    """May read files and look at what kernels print."""
    EDITOR = "editor"
    """May also change files and run code."""
    OWNER = "owner"
    """May also interrupt other people's work, for example end their kernels."""

    def includes(self, other: Role) -> bool:
        """Whether this role allows everything that ``other`` allows."""
        return _ORDER[self] >= _ORDER[other]


_ORDER = {role: place for place, role in enumerate(Role)}
