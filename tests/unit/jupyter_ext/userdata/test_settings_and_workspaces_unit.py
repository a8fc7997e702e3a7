"""A user's settings over the defaults, and workspaces as JupyterLab sends them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jupyterlab_server.translation_utils import L10N_SCHEMA_NAME
from tornado.web import HTTPError

from jupyter_ext.userdata import settings
from jupyter_ext.userdata.settings import (
    JSON5_BYTES,
    SettingsError,
    SettingsPlaces,
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


def test_long_settings_are_plain_json() -> None:
    plain = json.dumps({"n": 1, "long": "x" * (JSON5_BYTES + 1)})
    assert check_settings(plain, SCHEMA)["n"] == 1
    commented = plain + " // mine"
    with pytest.raises(SettingsError, match="without comments"):
        check_settings(commented, SCHEMA)
    # Stored by an earlier version: no settings, and an answer.
    assert with_user_settings(DEFAULT, stored(commented))["raw"] == "{}"


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps({"x": "x" * 300_000}),
        '{"x": [' + "[]," * 20_000 + "1]}",
        '{"x": ' + "[" * 5000 + "]" * 5000 + "}",
        "{x: " + "[" * 1000 + "]" * 1000 + "}",
        '{"x": "\ud800"}',
    ],
    ids=["long", "many", "deep", "deep JSON5", "surrogate"],
)
def test_settings_that_would_hold_or_break_the_lab_are_refused(raw: str) -> None:
    with pytest.raises(SettingsError):
        check_settings(raw, SCHEMA)
    assert with_user_settings(DEFAULT, stored(raw))["raw"] == "{}"


def test_a_long_list_of_different_objects_is_checked_at_once() -> None:
    """Comparing every two of them takes minutes."""
    schema = {"type": "object", "properties": {"list": {"type": "array", "uniqueItems": True}}}
    different = {"list": [{"a": number} for number in range(9000)]}
    assert check_settings(json.dumps(different), schema) == different
    different["list"].append({"a": 0})
    with pytest.raises(SettingsError, match="Failed validating input"):
        check_settings(json.dumps(different), schema)


def test_only_installed_schemas_are_looked_for(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    (schemas / "a").mkdir(parents=True)
    secret = json.dumps({"type": "object", "properties": {}, "title": "secret"})
    (schemas / "a" / "b.json").write_text(secret)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "keys.json").write_text(secret)
    places = SettingsPlaces(str(tmp_path), str(schemas), [str(tmp_path / "extensions")], {})
    assert places.read("a:b", locale="en")["schema"]["title"] == "secret"
    for name in (
        f"{tmp_path}/elsewhere:keys",
        "../elsewhere:keys",
        "a/../../elsewhere:keys",
        "a:../../elsewhere/keys",
        "a:b:c",
        "nothing",
        "a:b\0",
    ):
        with pytest.raises(HTTPError) as refused:
            places.read(name, locale="en")
        assert refused.value.status_code == 404
        assert str(schemas) not in str(refused.value)


def test_a_schema_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    places = SettingsPlaces(str(tmp_path), str(tmp_path), [], {})
    with pytest.raises(HTTPError):
        places.read("a:b", locale="en")
    (tmp_path / "a" / "b.json").write_text('{"type": "object", "properties": {}}')
    monkeypatch.setattr(settings, "LOOK_AGAIN_SECONDS", -1.0)
    assert places.read("a:b", locale="en")["id"] == "a:b"


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


def test_a_workspace_that_is_too_much_to_read_is_empty() -> None:
    for data in ("[" * 500 + "]" * 500, "[" + "[]," * 100_000 + "1]"):
        raw = f'{{"data": {data}, "metadata": {{"id": "/a:b"}}}}'
        assert workspace_model(stored(raw)) == empty_workspace("a:b")


def test_workspaces_have_times() -> None:
    model = workspace_model(stored('{"data": {"x": 1}, "metadata": {"id": "/a"}}'))
    assert model["data"] == {"x": 1}
    assert model["metadata"]["id"] == "/a"
    assert model["metadata"]["created"] == "2026-01-01T12:00:00+00:00"
    assert empty_workspace("a") == {"data": {}, "metadata": {"id": "/a"}}
