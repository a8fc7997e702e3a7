"""Maps errors of contents to HTTP errors, for what Jupyter and handlers call."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from jupyter_client.jsonutil import json_default
from tornado.web import HTTPError

from jupyter_ext.contents.errors import (
    BadInput,
    BodyMissing,
    Conflict,
    Contended,
    ContentsError,
    Forbidden,
    NotFound,
    SaveConflict,
)
from jupyter_ext.database.unavailable import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

STATUS: dict[type[Exception], int] = {
    BadInput: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    BodyMissing: 500,
    Contended: 503,
    Unavailable: 503,
}


class SaveConflictAnswer(HTTPError):
    """HTTP 409. `body` is the whole JSON body: what is there instead, or nulls if nothing is."""

    def __init__(self, conflict: SaveConflict) -> None:
        super().__init__(STATUS[Conflict], str(conflict))
        modified = conflict.last_modified
        self.body: dict[str, Any] = {
            "message": str(conflict),
            "version": conflict.version,
            "last_modified": None if modified is None else json_default(modified),
            "saved_by": conflict.saved_by,
        }


def http_error(error: ContentsError | Unavailable) -> HTTPError:
    """The answer to a request that failed with `error`."""
    if isinstance(error, SaveConflict):
        return SaveConflictAnswer(error)
    status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
    return HTTPError(status, str(error), reason=getattr(error, "reason", None))


def raises_http_errors(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorator for methods: raises the HTTP error for each error of contents."""

    @wraps(method)
    async def answering(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except (ContentsError, Unavailable) as error:
            raise http_error(error) from error

    return answering
