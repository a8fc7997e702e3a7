"""The refusal of a save over a version that the page did not hold."""

from datetime import datetime
from typing import Any

from jupyter_client.jsonutil import json_default
from tornado.web import HTTPError


class SaveConflict(HTTPError):
    """HTTP 409. `body` is the whole JSON body: what is there instead, or nulls if nothing is."""

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
        super().__init__(409, message)
        self.body: dict[str, Any] = {
            "message": message,
            "version": version,
            "last_modified": None if last_modified is None else json_default(last_modified),
            "saved_by": saved_by,
        }
