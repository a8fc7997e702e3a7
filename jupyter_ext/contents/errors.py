"""Why a request for contents fails, in terms of contents; `http_errors` says it in HTTP.

The message of each is for the user: what is wrong and, where something can be done, what to do.
"""

from datetime import datetime


class ContentsError(Exception):
    """A request was not carried out."""


class Refused(ContentsError):
    """The request will not be carried out, and changed nothing.

    `reason` is what clients of Jupyter compare, such as `bad type`; None for most refusals.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class BadInput(Refused):
    """The request cannot be carried out as it is."""


class Forbidden(Refused):
    """The caller's role in the project is too low."""


class NotFound(Refused):
    """There is no such file, folder, version or checkpoint, or the caller may not know of it."""


class Conflict(Refused):
    """What is stored is not what the request presumes."""


class SaveConflict(Conflict):
    """A save over a version that the page did not hold: says what is there, all None if nothing."""

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
