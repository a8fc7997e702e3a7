"""Where nbformat's notary keeps the signatures of notebooks that a user trusts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from nbformat.sign import SignatureStore

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.userdata import store

_log = logging.getLogger(__name__)


class SqlSignatureStore(SignatureStore):
    """Signatures in the labs' database. Each belongs to one user, so that a notebook that one user
    ran or trusted runs no scripts in another user's page. Methods block, as in nbformat.

    `whose` returns the user of the current call; without one (None) nothing is trusted. While the
    database is unavailable, notebooks are untrusted, not unreadable.
    """

    def __init__(self, database: Database, whose: Callable[[], str | None]) -> None:
        self._database = database
        self._whose = whose

    def store_signature(self, digest: str, algorithm: str) -> None:
        """Remember that the user trusts a notebook."""
        username = self._whose()
        if username is None:
            return
        try:
            self._database.run_blocking(
                partial(store.add_signature, username=username, algorithm=algorithm, digest=digest)
            )
        except DatabaseUnavailable as error:
            _log.warning("a notebook's signature was not saved: %s", error.for_operator)

    def check_signature(self, digest: str, algorithm: str) -> bool:
        """Whether the user trusts a notebook."""
        username = self._whose()
        if username is None:
            return False
        try:
            return self._database.run_blocking(
                partial(store.has_signature, username=username, algorithm=algorithm, digest=digest),
                read_only=True,
            )
        except DatabaseUnavailable as error:
            _log.warning("treating a notebook as untrusted: %s", error.for_operator)
            return False

    def remove_signature(self, digest: str, algorithm: str) -> None:
        """Forget that the user trusts a notebook; raises DatabaseUnavailable."""
        username = self._whose()
        if username is not None:
            self._database.run_blocking(
                partial(
                    store.remove_signature, username=username, algorithm=algorithm, digest=digest
                )
            )

    def close(self) -> None:
        """Does nothing: the database belongs to the process."""
