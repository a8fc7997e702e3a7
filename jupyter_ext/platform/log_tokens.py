"""Removes tokens from all log messages.

A login link carries its token in the URL, and Tornado logs the URL of a request that fails.
"""

from __future__ import annotations

import logging
import re
from typing import Any

HIDDEN = "[secret]"

# Three parts of base64url, the first of which is a JSON object. A letter may be right before it: in
# an address within an address, "=" is "%3D".
_TOKEN = re.compile(r"eyJ[\w-]{6,}\.[\w-]+\.[\w-]+")
_ARGUMENT = re.compile(
    r"((?:[?&]|%3F|%26)(?:token|_xsrf)(?:=|%3D))(?:(?!%26)[^&\s'\"<>])+", re.IGNORECASE
)


def without_tokens(text: str) -> str:
    """The text with each token replaced by `HIDDEN`."""
    return _ARGUMENT.sub(rf"\1{HIDDEN}", _TOKEN.sub(HIDDEN, text))


def hide_tokens_in_logs() -> None:
    """Remove tokens from everything that this process logs from now on. One call is enough."""
    make = logging.getLogRecordFactory()
    if isinstance(make, _WithoutTokens):
        return
    logging.setLogRecordFactory(_WithoutTokens(make))


class _WithoutTokens:
    """Creates log records with another factory and removes tokens from them."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*arguments, **named)
        try:
            message = record.getMessage()
        except Exception:
            # Its handlers report arguments that do not fit the message.
            return record
        hidden = without_tokens(message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        if record.exc_info and record.exc_info[0] is not None:
            trace = logging.Formatter().formatException(record.exc_info)
            hidden = without_tokens(trace)
            if hidden != trace:
                record.exc_text = hidden
        return record
