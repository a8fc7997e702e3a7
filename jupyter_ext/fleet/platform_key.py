"""Whether servers know the key that signs the fleet's own tokens, and what to do if they do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.secret_files import SecretFiles


def refuse_unknown_signer(files: SecretFiles) -> None:
    """Raise FleetError if the public keys lack that of the private key, and TokenKeysError if
    there is none."""
    public = files.signer().public_key
    try:
        document = json.loads(files.token_keys.read_bytes())
    except (OSError, ValueError, RecursionError):
        document = None
    if not _holds(document, public):
        raise FleetError(
            f"{files.token_keys} lacks the public key of {files.platform_key}, so servers refuse "
            "every token that it signs: restore both files from the same backup, or add this to "
            f'"keys" in {files.token_keys.name}, which servers read again: {json.dumps(public)}'
        )


def _holds(document: Any, public: Mapping[str, str]) -> bool:
    """Whether this very key, and not just one of its name, is in a document."""
    entries = document.get("keys") if isinstance(document, dict) else None
    return isinstance(entries, list) and any(
        isinstance(one, dict) and all(one.get(name) == public[name] for name in ("kid", "crv", "x"))
        for one in entries
    )
