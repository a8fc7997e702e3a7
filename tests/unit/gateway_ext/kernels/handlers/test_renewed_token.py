"""What a client of `fleet.v1` sends when its token was renewed."""

import json

import pytest

from gateway_ext.kernels.handlers.client_websocket import renewed_token


def test_a_token_in_a_text_frame() -> None:
    assert renewed_token(json.dumps({"type": "token", "token": "t"})) == "t"


@pytest.mark.parametrize(
    "frame",
    [
        b"{}",
        "",
        "{",
        "[]",
        "5",
        "[" * 60_000,
        '{"type": "ping"}',
        '{"type": "token"}',
        '{"type": "token", "token": 5}',
        json.dumps({"type": "token", "token": "t" * 70_000}),
    ],
)
def test_everything_else_is_none(frame: str | bytes) -> None:
    assert renewed_token(frame) is None
