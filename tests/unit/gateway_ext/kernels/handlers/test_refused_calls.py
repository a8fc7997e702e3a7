"""What the answers to calls that fail say."""

import pytest
from tornado import web

from gateway_ext.kernels.handlers.refused_calls import as_refusal


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (web.HTTPError(403, "the queue is 100% full"), "the queue is 100% full"),
        (web.HTTPError(403, "%s is %d%% full", "it", 7), "it is 7% full"),
        (web.HTTPError(403, reason="not 50% of it"), "not 50% of it"),
        (ValueError("100%"), "the gateway failed: its log says why"),
    ],
)
def test_percent_signs_are_as_they_were_written(error: Exception, message: str) -> None:
    assert as_refusal(403, error).message == message


@pytest.mark.parametrize(
    ("status", "words"), [(404, "nothing at this path"), (405, "no such method"), (413, "Large")]
)
def test_an_error_without_words_gets_some(status: int, words: str) -> None:
    assert words in as_refusal(status, web.HTTPError(status)).message
