"""Roles: what somebody may do in a project."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A role in a project; each one includes those before it."""

    VIEWER = "viewer"
    """May read files and look at what kernels print."""
    EDITOR = "editor"
    """May also change files and run code."""
    OWNER = "owner"
    """May also do what ends other people's work, such as ending their kernels."""

    def includes(self, other: Role) -> bool:
        """Whether whoever has this role may do everything that ``other`` may do."""
        return _ORDER[self] >= _ORDER[other]


_ORDER = {role: place for place, role in enumerate(Role)}
