"""Errors of contents, independent of HTTP; `http_errors` maps them to HTTP errors.

Each message is for the user: what is wrong and, if possible, what to do.
"""

from datetime import datetime


class ContentsError(Exception):
    """A request was not carried out."""


class Refused(ContentsError):
    """The request was refused and changed nothing.

    `reason` is a text that Jupyter's clients compare, such as `bad type`; mostly None.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class BadInput(Refused):
    """The request cannot be carried out as it is."""


class Forbidden(Refused):
    """The caller's role in the project is too low."""


class NotFound(Refused):
    """There is no such file, folder, version or checkpoint, or the caller may not see it."""


class Conflict(Refused):
    """The stored state differs from what the request assumes."""


class SaveConflict(Conflict):
    """A save over a version that the page did not have. The fields describe what is there instead;
    all are None if nothing is."""

    def __init__(
        self,
        path: str,
        version: str | None = None,
        last_modified: datetime | None = None,
        saved_by: str | None = None,
    ) -> None:
        if version is None:
            message = f"{path} is no longer there; nothing was saved"
        else:
            message = f"{path} was saved by {saved_by} in the meantime; nothing was saved"
        super().__init__(message)
        self.version = version
        self.last_modified = last_modified
        self.saved_by = saved_by


class BodyMissing(ContentsError):
    """The object store lost the body of a version."""


class Contended(ContentsError):
    """Too many other requests change the same thing: the same request may succeed later."""
