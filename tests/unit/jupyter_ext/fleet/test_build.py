import json

import pytest

from jupyter_ext.fleet.build import installed_build


@pytest.fixture
def environment(tmp_path):
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    info = packages / "jupyter_fleet-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text(
        "jupyter_ext/app.py,sha256=one,10\njupyter_fleet-0.1.0.dist-info/RECORD,,\n"
    )
    (packages / "tornado-6.5.dist-info").mkdir()
    return tmp_path


def packages_of(environment):
    return environment / "lib" / "python3.11" / "site-packages"


def test_the_same_wheel_installed_again_is_the_same_build(environment):
    before = installed_build(environment)
    record = packages_of(environment) / "jupyter_fleet-0.1.0.dist-info" / "RECORD"
    record.write_text(
        "jupyter_fleet-0.1.0.dist-info/uv_cache.json,sha256=z,1\n"
        "jupyter_fleet-0.1.0.dist-info/RECORD,,\njupyter_ext/app.py,sha256=one,10\n"
    )
    assert installed_build(environment) == before


def test_other_files_under_the_same_version_are_another_build(environment):
    before = installed_build(environment)
    record = packages_of(environment) / "jupyter_fleet-0.1.0.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("sha256=one", "sha256=two"))
    assert installed_build(environment) != before


def test_another_version_of_a_dependency_is_another_build(environment):
    before = installed_build(environment)
    old = packages_of(environment) / "tornado-6.5.dist-info"
    old.rename(old.with_name("tornado-6.6.dist-info"))
    assert installed_build(environment) != before


def test_changed_sources_of_an_editable_installation_are_another_build(environment, tmp_path):
    source = tmp_path / "checkout" / "jupyter_ext" / "app.py"
    source.parent.mkdir(parents=True)
    source.write_text("one")
    direct = packages_of(environment) / "jupyter_fleet-0.1.0.dist-info" / "direct_url.json"
    url = (tmp_path / "checkout").as_uri()
    direct.write_text(json.dumps({"url": url, "dir_info": {"editable": True}}))
    before = installed_build(environment)
    source.write_text("two")
    assert installed_build(environment) != before


def test_an_environment_without_us_has_no_build(tmp_path):
    assert installed_build(tmp_path) == "unknown"
