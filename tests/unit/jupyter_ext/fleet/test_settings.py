import json

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.settings import Settings, load_settings, save_settings, shown_url


def test_settings_are_kept(tmp_path):
    data_dir = DataDir.at(tmp_path)
    settings = Settings(port=9999, labs=3, database="mysql://u:p@h/db", ports={"lab-1": 12345})
    save_settings(data_dir, settings)
    assert load_settings(data_dir) == settings
    assert data_dir.settings.stat().st_mode & 0o777 == 0o600


def test_there_may_be_none_yet(tmp_path):
    assert load_settings(DataDir.at(tmp_path)) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 1, "colour": "red"}'])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "fleet.json").write_text(content)
    with pytest.raises(FleetError, match=r"fleet\.json cannot be read"):
        load_settings(DataDir.at(tmp_path))


def test_a_newer_format_is_refused(tmp_path):
    (tmp_path / "fleet.json").write_text(json.dumps({"format": 2, "shape": "round"}))
    with pytest.raises(FleetError, match="newer"):
        load_settings(DataDir.at(tmp_path))


def test_what_is_not_said_stays():
    kept = Settings(labs=3, database="mysql://h/db")
    assert kept.changed(labs=None, gateways=4, database=None) == Settings(
        labs=3, gateways=4, database="mysql://h/db"
    )
    assert kept.changed(database="embedded").database is None


@pytest.mark.parametrize("wanted", [{"labs": 0}, {"gateways": 65}, {"port": 0}, {"port": 70000}])
def test_numbers_that_make_no_sense_are_refused(wanted):
    (name,) = wanted
    with pytest.raises(FleetError, match=f"--{name}"):
        Settings().changed(**wanted)


def test_differences_are_told_without_passwords():
    running = Settings(database="mysql://fleet:s3cret@db:3306/fleet")
    told = running.differences(labs=3, database="mysql://fleet:other@db:3306/fleet", port=None)
    assert told == [
        "labs 2 instead of 3",
        "database mysql://fleet:***@db:3306/fleet instead of mysql://fleet:***@db:3306/fleet",
    ]
    assert running.differences(labs=2) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://fleet:s3cret@db:3306/fleet", "mysql://fleet:***@db:3306/fleet"),
        ("mysql://fleet@db/fleet", "mysql://fleet@db/fleet"),
        (
            "s3://bucket/p?endpoint=http://h:1&region=r",
            "s3://bucket/p?endpoint=http://h:1&region=r",
        ),
        (None, "embedded"),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert shown_url(url) == shown


def test_an_external_bucket_needs_no_store_ports():
    assert "store-s3" in Settings().port_names
    assert Settings(bucket="s3://b", labs=1, gateways=1).port_names == ["lab-1", "gateway-1"]
