"""Regular expressions of operators, matched in a time that grows with the text only.

Python's own engine tries alternatives one after the other: `^(a+)+$` takes seconds for 26
characters, and the event loop does nothing else. RE2 reads the text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

import re2

from jupyter_ext.launch_options.properties import LONGEST_VALUE, PROPERTIES

_LARGEST_PROGRAM = 5000
"""Steps for one character, at worst: 50 ms for the longest text."""
_MEMORY = 2**20
"""Bytes of a compiled pattern."""


class _Pattern(Protocol):
    def search(self, text: str, /) -> object: ...


class PatternRefused(ValueError):
    """A pattern that cannot be used; the text says why."""


def check_pattern(pattern: str) -> None:
    """Raises PatternRefused."""
    _compiled(pattern)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text, never in one that is longer than LONGEST_VALUE;
    raises PatternRefused."""
    if len(text) > LONGEST_VALUE:
        return False
    try:
        return _compiled(pattern).search(text) is not None
    except UnicodeEncodeError:
        # Half of a character: no pattern is about it.
        return False


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "pattern":
                yield value
            yield from _patterns(value)


_OWN = frozenset(_patterns(PROPERTIES))
"""Written here: they repeat no repetition, and have look-ahead, which RE2 has not."""


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> _Pattern:
    if pattern in _OWN:
        # In Python `$` also matches before a line break at the end, in JSON Schema it does not.
        return re.compile(re.sub(r"(?<!\\)\$\Z", r"\\Z", pattern))
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        compiled: Any = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        words = error.args[0]
        reason = words.decode(errors="replace") if isinstance(words, bytes) else error
        raise PatternRefused(
            f"the pattern {pattern[:200]!r} is wrong: {reason} (the syntax is that of RE2: there "
            "is no look-ahead or look-behind, no \\1, and \\z for \\Z)"
        ) from error
    if compiled.programsize > _LARGEST_PROGRAM:
        raise PatternRefused(
            f"the pattern {pattern[:200]!r} is too large: use smaller numbers of repetitions, and "
            "maxLength for the length of texts"
        )
    result: _Pattern = compiled
    return result
