"""Selectors of applications and objects that may be inspected, ended or removed.

Clusters treat an empty selector as "all": for an empty tag YARN returns every application, and for
Kubernetes an empty name means the whole collection, an empty namespace all namespaces. So selectors
have types that cannot be empty, and calls to clusters accept nothing else.
"""

import re
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Selector:
    """Matches what has this value. Raises ValueError for one that is empty, or that a cluster could
    read as something else than one value."""

    value: str

    PATTERN: ClassVar[re.Pattern[str]]
    WHAT: ClassVar[str]

    def __post_init__(self) -> None:
        if not isinstance(self.value, str) or not self.PATTERN.fullmatch(self.value):
            raise ValueError(f"{self.value!r} is not {self.WHAT}")

    def __str__(self) -> str:
        return self.value


class ApplicationTag(Selector):
    """A tag of YARN applications. A comma would make it two, of which either matches."""

    PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
    WHAT = "a tag of a YARN application"


class ApplicationId(Selector):
    """The id of one YARN application; no other one ever gets it."""

    PATTERN = re.compile(r"application_[0-9]+_[0-9]+")
    WHAT = "the id of a YARN application"


class ObjectName(Selector):
    """The name of one Kubernetes object or namespace (a DNS subdomain).

    In a path `.` and `..` would lead to another collection.
    """

    PATTERN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
    WHAT = "the name of a Kubernetes object"


class ObjectUid(Selector):
    """The uid of one Kubernetes object; no other one ever gets it."""

    PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
    WHAT = "the uid of a Kubernetes object"
