"""The members of a JSON object as they are written, without parsing their values.

Values are passed on unchanged, so only their ends must be found. That requires looking at brackets
and strings only, however many values there are.
"""

import json
import re

from jupyter_ext.platform.json_bodies import JsonRefused, JsonTooBig

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_OPEN = re.compile(rb"\s*\{\s*", re.DOTALL)
_KEY = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*", re.DOTALL)
_STRING_VALUE = re.compile(_STRING, re.DOTALL)
_PLAIN_VALUE = re.compile(rb"[-+.0-9A-Za-z]++")
_AFTER_VALUE = re.compile(rb"\s*([,}])")
_END = re.compile(rb"\s*\Z")
# A quotation mark alone is a string without an end. All begin with one letter: `re` is then fast.
_TOKEN = re.compile(_STRING + rb'|"|\{|\}|\[|\]', re.DOTALL)


def members(text: bytes, *, tokens: int, depth: int) -> dict[str, bytes]:
    """The text of each value by its name; of duplicate names the last one counts.

    Raises JsonRefused if it is not an object, and for nesting deeper than `depth`; JsonTooBig for
    more than `tokens` strings and brackets. Does not check that the values are valid JSON.
    """
    match = _OPEN.match(text)
    if match is None:
        raise JsonRefused("it is not a JSON object")
    found: dict[str, bytes] = {}
    position = match.end()
    closing = text[position : position + 1]
    while closing != b"}":
        key = _KEY.match(text, position)
        if key is None:
            raise JsonRefused("a name is missing in the JSON object")
        end, used = _value_end(text, key.end(), tokens, depth)
        tokens -= used
        found[json.loads(key[1])] = text[key.end() : end]
        after = _AFTER_VALUE.match(text, end)
        if after is None:
            raise JsonRefused("the JSON object has no end")
        position, closing = after.end(), after[1]
    if not _END.match(text, position + (not found)):
        raise JsonRefused("something follows the JSON object")
    return found


def _value_end(text: bytes, start: int, most: int, deepest: int) -> tuple[int, int]:
    """Where the value ends, and how many tokens it has."""
    first = text[start : start + 1]
    if first not in (b"{", b"["):
        match = (_STRING_VALUE if first == b'"' else _PLAIN_VALUE).match(text, start)
        if match is None:
            raise JsonRefused("a value is missing in the JSON object")
        return match.end(), 1
    depth = 0
    for number, token in enumerate(_TOKEN.finditer(text, start), 1):
        if number > most:
            raise JsonTooBig("the JSON has too many values to be read at once")
        sign = token[0]
        if sign in (b"{", b"["):
            depth += 1
            if depth > deepest:
                raise JsonRefused(f"the JSON is nested more than {deepest} levels deep")
        elif sign in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end(), number
        elif sign == b'"':
            break
    raise JsonRefused("a value of the JSON object has no end")
