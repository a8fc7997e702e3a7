"""Launch options as others may see them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECRET_NAME = re.compile(
    r"secret|token|passw|passphrase|(^|[_.-])pass($|[_.-])|(^|[_.-])pwd|credential|private"
    r"|(^|[_.-])(api|access|account)?_?key(s|tab)?($|[_.-])|apikey|accesskey|auth|cookie|session"
    r"|signature|(^|[_.-])(dsn|sas|jwt)($|[_.-])",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_MEMBERS_MAY_BE_SECRET = ("environment", "spark")


def shown_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with null for the values of variables and settings whose names, or contents,
    look like secrets."""
    return {
        name: _without_secrets(value) if name in _MEMBERS_MAY_BE_SECRET else value
        for name, value in options.items()
    }


def looks_secret(name: str, value: Any) -> bool:
    """Whether the value of a variable or setting of this name is likely to be a secret."""
    return bool(_SECRET_NAME.search(name)) or (
        isinstance(value, str) and bool(_PASSWORD_IN_URL.search(value))
    )


def _without_secrets(members: Any) -> Any:
    if not isinstance(members, Mapping):
        return members
    return {name: None if looks_secret(name, one) else one for name, one in members.items()}
