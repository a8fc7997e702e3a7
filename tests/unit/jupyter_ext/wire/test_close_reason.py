"""Reasons of close frames."""

import pytest

from jupyter_ext.wire.close_reason import MOST_BYTES, close_reason


@pytest.mark.parametrize("text", ["", "gone", "x" * MOST_BYTES, "é" * (MOST_BYTES // 2)])
def test_what_fits_stays_as_it_is(text: str) -> None:
    assert close_reason(text) == text


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("word " * 24 + "word", "word " * 23 + "word…"),
        ("word " * 22 + "word, whose code", "word " * 22 + "word…"),
        ("word " * 23 + "words and more", "word " * 23 + "words…"),
        ("word " * 23 + "codeword, too", "word " * 22 + "word…"),
        ("x" * 200, "x" * 120 + "…"),
        ("é" * 200, "é" * 60 + "…"),
        ("\U0001f600" * 200, "\U0001f600" * 30 + "…"),
    ],
)
def test_what_does_not_fit_ends_with_a_whole_word(text: str, cut: str) -> None:
    assert close_reason(text) == cut
    assert close_reason(cut) == cut


@pytest.mark.parametrize("length", range(100, 140))
def test_no_reason_is_longer_than_a_close_frame_holds(length: int) -> None:
    for letter in "xé€\U0001f600 ":
        assert len(close_reason(letter * length).encode()) <= MOST_BYTES
