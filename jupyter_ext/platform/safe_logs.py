"""Removes tokens and control characters from all log messages, and indents their further lines.

A login link carries its token in the URL, and Tornado logs the URL of a request that fails. File
names may contain escape sequences, which would act on the terminal of whoever reads the log, and
line breaks, after which anything would look like another message: whatever begins at the start of a
line is the start of a message.
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
    r"((?:[?&]|%3F|%26)(?:token|code|_xsrf)(?:=|%3D))(?:(?!%26)[^&\s'\"<>])+", re.IGNORECASE
)
# All but tab and line feed; also what some programs take for line breaks, and what changes the
# direction in which a line is written.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_INDENT = "    "


def safe_text(text: str) -> str:
    """The text with `HIDDEN` for each token, and Python's escapes for control characters."""
    return _CONTROL.sub(lambda found: _escaped(ord(found[0])), without_tokens(text))


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def safe_message(text: str) -> str:
    """The safe text, whose second and further lines are indented."""
    return safe_text(text).replace("\n", f"\n{_INDENT}")


def without_tokens(text: str) -> str:
    """The text with each token replaced by `HIDDEN`."""
    return _ARGUMENT.sub(rf"\1{HIDDEN}", _TOKEN.sub(HIDDEN, text))


def make_logs_safe() -> None:
    """Make everything safe that this process logs from now on. One call is enough."""
    make = logging.getLogRecordFactory()
    if isinstance(make, _SafeRecords):
        return
    logging.setLogRecordFactory(_SafeRecords(make))


class _SafeRecords:
    """Creates log records with another factory and makes them safe."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*arguments, **named)
        try:
            message = record.getMessage()
        except Exception:
            # Its handlers report arguments that do not fit the message.
            return record
        safe = safe_message(message)
        if safe != message:
            record.msg, record.args = safe, ()
        if record.exc_info and record.exc_info[0] is not None:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_text = _INDENT + safe_message(trace)
        return record
