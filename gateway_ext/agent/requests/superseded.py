"""Which messages make no difference any more to what a page shows in the end.

A step of a progress bar is overwritten by the next one, and a change of a display by the next
change. Only whole messages are left out, and none is changed: whoever reads may have had any of
them before, and sees the same in the end.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from jupyter_ext.wire.messages import MessageError, parse_part

from .index import MOST_DISPLAYS

LONGEST_STEP = 2**16
"""Bytes of the content of a step: a longer one would hold the event loop while it is looked at."""
_MOST_LINES = 1000

_MAY_CAPTURE = (b'"msg_id"', b'"outputs"')
"""What messages of widgets have that begin or end to catch the outputs of a cell: a page does other
things with the same message before and after them."""


class Text(NamedTuple):
    """A piece of a stream, and what of it decides whether it can be overwritten. Widths are in
    UTF-16 units, in which pages count."""

    begins: bool
    """Whether it begins at the start of the line, wherever the line was."""
    ends: bool
    """Whether it goes back to the start of the line at its end."""
    width: int | None
    """How much of the line it writes on; None if it does anything else as well."""
    covers: int
    """How much of the line its beginning overwrites."""
    at_start: bool
    """Whether the line is at its start before it, whatever is left out of what was before."""

    @property
    def is_overwritable(self) -> bool:
        """Whether all that it does is to write on the line from its start."""
        return self.width is not None and (self.begins or self.at_start)


def text_of(text: str, *, at_start: bool = False) -> Text:
    """The piece; `at_start` says that the line is at its start before it."""
    first = text.lstrip("\r").partition("\r")[0].partition("\n")[0]
    pieces = text.split("\r")
    return Text(
        text.startswith("\r"),
        text.endswith("\r"),
        max(map(_units, pieces)) if all(map(_is_plain, pieces)) else None,
        _units(first) if _is_plain(first) else 0,
        at_start,
    )


def _is_plain(text: str) -> bool:
    """Whether each character takes the place of another one; tabs, escapes and such do not."""
    return text.isprintable()


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_overwritten(before: Text, after: Text) -> bool:
    """Whether nothing is left of `before` once `after` follows, and `after` begins at the start of
    the line also without it."""
    returns = after.begins or (before.ends and before.at_start)
    return before.is_overwritable and returns and after.covers >= (before.width or 0)


class _Step(NamedTuple):
    """The last message of a request, which is text of a stream."""

    number: int
    name: str
    text: Text
    ends_line: bool


class _Update(NamedTuple):
    """The last change of a display, and the requests whose displays it changed."""

    number: int
    requests: frozenset[str]


class SupersededSteps:
    """Is told of all messages on iopub, in order, and says which ones they supersede."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self._updates: dict[str, _Update] = {}

    def heard(
        self,
        message_type: str,
        request: str,
        content: bytes,
        number: int,
        shown: tuple[str, Collection[str]] | None = None,
    ) -> int | None:
        """The message with this number answers `request`; if it is a change of a display, `shown`
        are the id of that and the requests that show it. Returns the number that it supersedes,
        None if there is none."""
        if message_type == "stream":
            return self._printed(request, content, number)
        self._steps.pop(request, None)
        if message_type == "update_display_data":
            return None if shown is None else self._updated(*shown, number)
        if message_type.startswith("comm_") and _may_capture(message_type, content):
            self._steps.clear()
            self._updates.clear()
        return None

    def _updated(self, display: str, shown: Collection[str], number: int) -> int | None:
        before, requests = self._updates.pop(display, None), frozenset(shown)
        self._updates[display] = _Update(number, requests)
        if len(self._updates) > MOST_DISPLAYS:
            del self._updates[next(iter(self._updates))]
        # The replay of each request that had the change before must have this one instead.
        return before.number if before is not None and before.requests <= requests else None

    def _printed(self, request: str, content: bytes, number: int) -> int | None:
        before = self._steps.pop(request, None)
        # JSON: the backslash is one of its own. Most of what is printed has no such thing.
        if b"\\r" not in content or len(content) > LONGEST_STEP:
            return None
        printed = _printed_text(content)
        if printed is None:
            return None
        name, text = printed
        if before is not None and before.name != name:
            before = None
        step = text_of(text, at_start=before is not None and before.ends_line)
        superseded = before is not None and is_overwritten(before.text, step)
        if before is not None and superseded:
            # Also where the one before is left out.
            step = step._replace(at_start=step.at_start and before.text.at_start)
        self._steps[request] = _Step(number, name, step, text.endswith(("\r", "\n")))
        if len(self._steps) > _MOST_LINES:
            del self._steps[next(iter(self._steps))]
        return before.number if before is not None and superseded else None


def _may_capture(message_type: str, content: bytes) -> bool:
    return message_type != "comm_msg" or any(name in content for name in _MAY_CAPTURE)


def _printed_text(content: bytes) -> tuple[str, str] | None:
    """Name and text of a stream; None if there is no text, or anything else."""
    try:
        said: dict[str, Any] = parse_part(content)
    except MessageError:
        return None
    name, text = said.get("name"), said.get("text")
    if len(said) != 2 or not isinstance(name, str) or not isinstance(text, str) or not text:
        return None
    return name, text
