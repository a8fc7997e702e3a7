"""A user's settings over the defaults, and workspaces as JupyterLab sends them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from jupyterlab_server.translation_utils import L10N_SCHEMA_NAME

from jupyter_ext.userdata.settings import (
    SettingsError,
    check_settings,
    locale_of,
    with_user_settings,
)
from jupyter_ext.userdata.store import Stored
from jupyter_ext.userdata.workspaces import (
    WorkspaceError,
    check_workspace,
    empty_workspace,
    workspace_model,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"n": {"type": "number"}}}
DEFAULT: dict[str, Any] = {"id": "a:b", "schema": SCHEMA, "raw": "{}", "settings": {}}


def stored(raw: str) -> Stored:
    return Stored("a:b", raw, NOON, NOON)


def test_settings_are_laid_over_the_defaults() -> None:
    entry = with_user_settings(DEFAULT, stored('{"n": 1} // mine'))
    assert entry["raw"] == '{"n": 1} // mine'
    assert entry["settings"] == {"n": 1}
    assert entry["last_modified"] == "2026-01-01T12:00:00+00:00"
    assert with_user_settings(DEFAULT, None) == DEFAULT
    only_id = {"id": "a:b"}
    assert with_user_settings(only_id, stored("{}")) == only_id


@pytest.mark.parametrize("raw", ['{"n": "x"}', "{", "[1]", "7"])
def test_settings_that_fit_no_longer_are_left_out(raw: str) -> None:
    entry = with_user_settings(DEFAULT, stored(raw))
    assert (entry["raw"], entry["settings"]) == ("{}", {})
    with pytest.raises(SettingsError):
        check_settings(raw, SCHEMA)


@pytest.mark.parametrize("raw", ["", "{}", "{ /* nothing */ }"])
def test_empty_settings_are_none(raw: str) -> None:
    assert check_settings(raw, SCHEMA) == {}


@pytest.mark.parametrize(
    ("raw", "locale"), [('{"locale": "fr"}', "fr"), ('{"locale": "no such"}', "en")]
)
def test_the_language_is_the_users(raw: str, locale: str) -> None:
    assert locale_of({L10N_SCHEMA_NAME: stored(raw)}) == locale


@pytest.mark.parametrize("raw", ["{", "[]", "{}", '{"locale": "default"}'])
def test_without_a_language_it_is_the_systems(raw: str) -> None:
    assert locale_of({L10N_SCHEMA_NAME: stored(raw)}) == locale_of({})


@pytest.mark.parametrize("given", ["/a b", "a b", "/a%20b"])
def test_a_workspace_names_itself(given: str) -> None:
    check_workspace("a b", f'{{"data": {{}}, "metadata": {{"id": "{given}"}}}}')


@pytest.mark.parametrize(
    "raw",
    ["", "[]", "{}", '{"metadata": {}}', '{"metadata": {"id": 1}}', '{"metadata": {"id": "/b"}}'],
)
def test_what_is_no_workspace_is_refused(raw: str) -> None:
    with pytest.raises(WorkspaceError):
        check_workspace("a", raw)


def test_workspaces_have_times() -> None:
    model = workspace_model(stored('{"data": {"x": 1}, "metadata": {"id": "/a"}}'))
    assert model["data"] == {"x": 1}
    assert model["metadata"]["id"] == "/a"
    assert model["metadata"]["created"] == "2026-01-01T12:00:00+00:00"
    assert empty_workspace("a") == {"data": {}, "metadata": {"id": "/a"}}
