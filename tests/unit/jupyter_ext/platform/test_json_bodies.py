"""What a JSON text is like is known before it is parsed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.platform import json_bodies
from jupyter_ext.platform.json_bodies import (
    DOCUMENT,
    SMALL,
    JsonLimits,
    JsonRefused,
    JsonTooBig,
    check,
    check_texts,
)

JSON = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a"\\[]{},é:')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def containers_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(containers_of, value.values()))
    return 1 + sum(map(containers_of, value)) if isinstance(value, list) else 0


def passes(body: bytes, limits: JsonLimits) -> bool:
    try:
        check(body, limits)
    except JsonRefused:
        return False
    return True


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
@given(value=JSON, ascii_only=st.booleans())
def test_depth_and_containers_are_those_that_the_parser_finds(
    piece: int, value: Any, ascii_only: bool
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    depth, containers = depth_of(value), containers_of(value)
    with pytest.MonkeyPatch.context() as patch:
        # Texts and escapes that lie across the pieces.
        patch.setattr(json_bodies, "_PIECE", piece)
        assert passes(body, JsonLimits(len(body), depth, containers, 1000))
        assert not depth or not passes(body, JsonLimits(None, depth - 1, containers, 1000))
        assert not containers or not passes(body, JsonLimits(None, depth, containers - 1, 1000))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 40_000, 400),
        (b'{"a":' * 40_000, 400),
        (b"[" + b",".join([b"[]"] * 100_000) + b"]", 413),
        (b"[" + b"1," * 400_000 + b"1]", 413),
        (b" " * (SMALL.bytes or 0) + b"1", 413),
        (b'"\xff"', 400),
        ("[1]".encode("utf-16"), 400),
        # In UTF-8 the second byte of the letter begins a text that hides the lists.
        (('["\u2241",' + "[" * 40_000).encode("utf-16-le"), 400),
    ],
    ids=[
        *("lists", "objects", "many lists", "many values", "bytes", "bad UTF-8", "UTF-16"),
        "UTF-16 that is UTF-8 too",
    ],
)
def test_what_would_hold_the_loop_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(JsonRefused) as refused:
        check(body, SMALL)
    assert refused.value.status == status


def test_sixty_megabytes_of_empty_lists_are_no_document() -> None:
    with pytest.raises(JsonTooBig):
        check(b"[" + b"[]," * 20_000_000 + b"[]]", DOCUMENT)


def test_twenty_megabytes_of_a_plots_coordinates_are_a_document() -> None:
    body = json.dumps([[1.234567, 2.345678]] * 950_000).encode()
    assert len(body) > 20_000_000
    check(body, DOCUMENT)


@pytest.mark.parametrize(
    "body", [rb'"\ud800"', rb'"\uDC00"', rb'"\ud83d\ud83d\ude00"', rb'"\ud83d\\\ude00"']
)
def test_half_a_surrogate_pair_is_refused(body: bytes) -> None:
    with pytest.raises(JsonRefused, match="has half of a surrogate pair"):
        check_texts(body)
    with pytest.raises(UnicodeEncodeError):
        json.loads(body).encode()


@pytest.mark.parametrize("body", [rb'"\ud83d\ude00"', rb'"\\ud800"', '"😀"'.encode(), b""])
def test_whole_letters_pass(body: bytes) -> None:
    check_texts(body)
    check(body, SMALL)
