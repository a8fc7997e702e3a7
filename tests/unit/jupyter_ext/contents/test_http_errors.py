"""What clients are told of each error of contents."""

from datetime import UTC, datetime

import pytest
from tornado.web import HTTPError

from jupyter_ext.contents import errors
from jupyter_ext.contents.bucket import StoreUnavailable
from jupyter_ext.contents.http_errors import SaveConflictAnswer, http_error, raises_http_errors
from jupyter_ext.database.engine import DatabaseUnavailable


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadInput("no"), 400),
        (errors.Forbidden("no"), 403),
        (errors.NotFound("no"), 404),
        (errors.Conflict("no"), 409),
        (errors.BodyMissing("no"), 500),
        (errors.Contended("no"), 503),
    ],
)
def test_each_kind_has_its_status_and_keeps_its_message(
    error: errors.ContentsError, status: int
) -> None:
    answer = http_error(error)
    assert (answer.status_code, answer.log_message, answer.reason) == (status, "no", None)


def test_a_reason_for_clients_is_kept() -> None:
    assert http_error(errors.BadInput("no", reason="bad type")).reason == "bad type"


@pytest.mark.parametrize("kind", [StoreUnavailable, DatabaseUnavailable])
def test_clients_are_not_told_where_a_server_is(
    kind: type[StoreUnavailable | DatabaseUnavailable],
) -> None:
    answer = http_error(kind("db.internal:3306 refuses the password"))
    assert answer.status_code == 503
    assert "db.internal" not in str(answer.log_message)


def test_a_save_conflict_says_over_what() -> None:
    saved = datetime(2026, 3, 1, tzinfo=UTC)
    answer = http_error(errors.SaveConflict("demo/a", "v2", saved, "bob"))
    assert isinstance(answer, SaveConflictAnswer)
    assert answer.status_code == 409
    assert answer.body["version"] == "v2"
    assert answer.body["last_modified"] == "2026-03-01T00:00:00Z"


async def test_other_errors_pass_unchanged() -> None:
    @raises_http_errors
    async def failing(error: Exception) -> None:
        raise error

    with pytest.raises(KeyError):
        await failing(KeyError("x"))
    hook = HTTPError(418, "refused by a hook")
    with pytest.raises(HTTPError) as refused:
        await failing(hook)
    assert refused.value is hook
    with pytest.raises(HTTPError) as refused:
        await failing(errors.NotFound("no"))
    assert refused.value.status_code == 404
