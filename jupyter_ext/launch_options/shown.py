"""Launch options as others may see them, and as they are kept for the next start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECRET_NAME = re.compile(
    r"secret|token|pass|pwd|credential|private|bearer|cert|apikey|accesskey|auth|cookie|session"
    r"|signature|(^|[_.-])(api|access|account|master)?_?key(s|tab)?($|[_.-])"
    r"|(^|[_.-])(conn(ection)?(_?str(ing)?)?|dsn|jwt|pat|pin|salt|sas)($|[_.-])",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"://\S*@|-----BEGIN|(secret|token|passw\w*|pwd|key|credentials?)\s*[=:]", re.IGNORECASE
)
_LONG_WORD = re.compile(r"[A-Za-z0-9+_-]{20,}")


def shown_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as everybody in the project sees them. Null stands for the value of each
    environment variable, since nobody can tell which are secrets, and of each setting of Spark
    whose name or value looks like one."""
    return {
        name: dict.fromkeys(value)
        if name == "environment" and isinstance(value, Mapping)
        else _without_secrets(name, value)
        for name, value in options.items()
    }


def kept_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they are kept for the user who chose them, with null for what looks like a
    secret."""
    return {name: _without_secrets(name, value) for name, value in options.items()}


def with_own_values(options: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Options that everybody sees, with the values of variables that the user has entered before,
    in `own`."""
    known = own.get("environment")
    shown = options.get("environment")
    if not isinstance(known, Mapping) or not isinstance(shown, Mapping):
        return dict(options)
    values = {name: known.get(name) if value is None else value for name, value in shown.items()}
    return {**options, "environment": values}


def looks_secret(name: str, value: Any) -> bool:
    """Whether the value of a variable or setting of this name is likely to be a secret."""
    if _SECRET_NAME.search(name):
        return True
    return isinstance(value, str) and (
        _SECRET_VALUE.search(value) is not None
        or any(_is_random(word) for word in _LONG_WORD.findall(value))
    )


def _is_random(word: str) -> bool:
    """Whether a long word looks like a key: letters and several digits."""
    return len(re.findall("[0-9]", word)) > 3 and re.search("[A-Za-z]", word) is not None


def _without_secrets(name: str, value: Any) -> Any:
    if name not in ("environment", "spark") or not isinstance(value, Mapping):
        return value
    return {member: None if looks_secret(member, one) else one for member, one in value.items()}
