"""Where nbformat's notary keeps the signatures of trusted notebooks."""

from __future__ import annotations

import logging
from functools import partial

from nbformat.sign import SignatureStore

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.userdata import store

_log = logging.getLogger(__name__)


class SqlSignatureStore(SignatureStore):
    """Signatures in the database of all labs. Its methods block, as nbformat's interface does.

    While the database is away a notebook is untrusted, not unreadable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def store_signature(self, digest: str, algorithm: str) -> None:
        """Remember a trusted notebook."""
        try:
            self._database.run_blocking(
                partial(store.add_signature, algorithm=algorithm, digest=digest)
            )
        except DatabaseUnavailable as error:
            _log.warning("a notebook's signature is not kept: %s", error.for_operator)

    def check_signature(self, digest: str, algorithm: str) -> bool:
        """Whether a notebook is trusted."""
        try:
            return self._database.run_blocking(
                partial(store.has_signature, algorithm=algorithm, digest=digest), read_only=True
            )
        except DatabaseUnavailable as error:
            _log.warning("a notebook is taken for untrusted: %s", error.for_operator)
            return False

    def remove_signature(self, digest: str, algorithm: str) -> None:
        """Trust a notebook no longer; raises DatabaseUnavailable."""
        self._database.run_blocking(
            partial(store.remove_signature, algorithm=algorithm, digest=digest)
        )

    def close(self) -> None:
        """Nothing: the database belongs to the process."""
