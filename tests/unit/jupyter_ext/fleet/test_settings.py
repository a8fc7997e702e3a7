import json
from dataclasses import fields
from pathlib import Path

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kept_settings import FORMAT, load_settings, save_settings
from jupyter_ext.fleet.option import shown_url
from jupyter_ext.fleet.settings import OPTIONS, Option, Settings, flag, told_settings


def value_of(one: Option):
    """Something other than the default that `up` may be told."""
    return "/x" if one.kind is str else max(7, (one.least or 0) + 1)


def test_settings_are_kept(tmp_path):
    data_dir = DataDir.at(tmp_path)
    settings = Settings(port=9999, labs=3, database="mysql://u:p@h/db", ports={"lab-1": 12345})
    save_settings(data_dir, settings)
    assert load_settings(data_dir) == settings
    assert data_dir.settings.stat().st_mode & 0o777 == 0o600


def test_there_may_be_none_yet(tmp_path):
    assert load_settings(DataDir.at(tmp_path)) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 1, "color": "red"}'])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "fleet.json").write_text(content)
    with pytest.raises(FleetError, match=r"fleet\.json cannot be read"):
        load_settings(DataDir.at(tmp_path))


def test_a_newer_format_is_refused(tmp_path):
    (tmp_path / "fleet.json").write_text(json.dumps({"format": FORMAT + 1, "shape": "round"}))
    with pytest.raises(FleetError, match="written by a newer Jupyter Fleet"):
        load_settings(DataDir.at(tmp_path))


def test_what_is_not_said_stays():
    kept = Settings(labs=3, database="mysql://h/db")
    assert kept.changed({"labs": None, "gateways": 4, "database": None}) == Settings(
        labs=3, gateways=4, database="mysql://h/db"
    )
    assert kept.changed({"database": "embedded"}).database is None


def test_what_older_versions_kept_is_read(tmp_path):
    (tmp_path / "fleet.json").write_text('{"format": 1, "port": 9999, "ports": {"lab-1": 12345}}')
    assert load_settings(DataDir.at(tmp_path)) == Settings(port=9999, ports={"lab-1": 12345})
    (tmp_path / "fleet.json").write_text('{"format": 4, "labs": 3, "tls_cert": "/c"}')
    assert load_settings(DataDir.at(tmp_path)) == Settings(labs=3, tls_cert="/c")


def test_each_new_setting_has_a_new_format():
    """Versions with the format before would say that the file is broken. Whoever changes the names
    here increases FORMAT."""
    names = (
        "advertise bucket bucket_environment cull_idle cull_warning database gateway_env gateways"
        " insecure_http kernel_env kernel_memory kernel_network kernel_network_allowed kernel_walls"
        " kernelspecs kube_context kube_namespace kubeconfig labs launch_policy listen max_kernels"
        " max_kernels_per_user one_user only_user port ports public_url shown_folders tls_cert"
        " tls_key token_in_url trust_everyone yarn_conf"
    )
    assert (FORMAT, sorted(one.name for one in fields(Settings))) == (6, names.split())


def test_every_option_of_up_is_kept(tmp_path):
    data_dir = DataDir.at(tmp_path)
    told = {name: value_of(one) for name, one in OPTIONS.items()}
    save_settings(data_dir, Settings().changed(told))
    kept = load_settings(data_dir)
    assert {name: getattr(kept, name) for name in OPTIONS} == told
    back = {name: one.unset for name, one in OPTIONS.items() if one.unset is not None}
    assert all(getattr(kept.changed(back), name) is None for name in back)


def test_an_environment_is_kept_as_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings().changed({"kernel_env": "mine"}).kernel_env == str(tmp_path / "mine")


def test_a_context_belongs_to_its_kubeconfig():
    kept = Settings(kubeconfig="/k", kube_context="x", kube_namespace="kernels")
    assert kept.changed({"labs": 3}) == Settings(
        labs=3, kubeconfig="/k", kube_context="x", kube_namespace="kernels"
    )
    other = kept.changed({"kubeconfig": "/other"})
    assert (other.kube_context, other.kube_namespace) == (None, "kernels")
    other = kept.changed({"kubeconfig": "/other", "kube_context": "y"})
    assert other.kube_context == "y"
    assert kept.changed({"kubeconfig": "/k"}) == kept
    assert kept.changed({"kubeconfig": ""}) == Settings()


def test_gateways_have_the_advertised_address():
    settings = Settings(ports={"gateway-1": 11011})
    assert settings.advertised_url("gateway-1") == settings.url("gateway-1")
    named = settings.changed({"advertise": "fleet.example.org"})
    assert named.advertised_url("gateway-1") == "http://fleet.example.org:11011"
    assert named.url("gateway-1") == "http://127.0.0.1:11011"
    assert settings.changed({"advertise": "fd00::1"}).advertised_url("gateway-1") == (
        "http://[fd00::1]:11011"
    )


def test_an_option_goes_before_its_variable():
    url = "mysql://u:p@h/d"
    variables = {"FLEET_KERNEL_ENV": "/v", "FLEET_GATEWAY_ENV": "", "FLEET_DATABASE": url}
    assert told_settings({"kernel_env": "/o"}, variables)["kernel_env"] == "/o"
    told = told_settings({"kernel_env": None, "labs": 3}, variables)
    assert (told["kernel_env"], told["gateway_env"], told["labs"]) == ("/v", None, 3)
    assert told["database"] == url


@pytest.mark.parametrize("name", OPTIONS)
def test_a_running_fleet_takes_an_option_or_says_what_to_do(name):
    running = Settings()
    wanted = running.changed({name: value_of(OPTIONS[name])})
    if OPTIONS[name].needs_down is None:
        wanted.refuse_while_running(running)
        return
    with pytest.raises(FleetError, match=f"{flag(name)} .*nothing was changed.*fleet down"):
        wanted.refuse_while_running(running)


def test_a_running_fleet_takes_another_password_of_its_database():
    running = Settings(database="mysql://fleet:old@db:3306/fleet")
    running.changed({"database": "mysql://fleet-2:n%40w@db:3306/fleet"}).refuse_while_running(
        running
    )
    for other in ("mysql://fleet:old@db:3307/fleet", "mysql://fleet:old@db:3306/another"):
        with pytest.raises(FleetError, match="another database starts empty"):
            running.changed({"database": other}).refuse_while_running(running)


@pytest.mark.parametrize(
    "wanted", [{"labs": 0}, {"gateways": 65}, {"port": 0}, {"port": 70000}, {"database": " "}]
)
def test_values_that_make_no_sense_are_refused(wanted):
    (name,) = wanted
    with pytest.raises(FleetError, match=f"--{name}"):
        Settings().changed(wanted)


def test_differences_are_told_without_passwords():
    running = Settings(database="mysql://fleet:s3cret@db:3306/fleet")
    wanted = running.changed({"labs": 3, "database": "mysql://fleet:other@db:3306/fleet"})
    assert wanted.differences(running) == {
        "labs": "--labs 3 instead of 2",
        "database": "--database mysql://fleet:***@db:3306/fleet instead of"
        " mysql://fleet:***@db:3306/fleet",
    }
    assert Settings(kernel_env="/k").differences(Settings()) == {
        "kernel_env": "--kernel-env /k instead of default"
    }
    assert running.differences(running) == {}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://fleet:s3cret@db:3306/fleet", "mysql://fleet:***@db:3306/fleet"),
        ("mysql://fleet@db/fleet", "mysql://fleet@db/fleet"),
        (
            "s3://bucket/p?endpoint=http://h:1&region=r",
            "s3://bucket/p?endpoint=http://h:1&region=r",
        ),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert shown_url(url) == shown


def test_an_external_bucket_needs_no_store_ports():
    assert "store-s3" in Settings().port_names
    assert Settings(bucket="s3://b", labs=1, gateways=1).port_names == [
        *("lab-1", "gateway-1", "front-kernels")
    ]


def test_the_operators_guide_names_every_option():
    guide = (Path(__file__).parents[4] / "deploy" / "README.md").read_text()
    synopsis = guide.partition("```sh\n")[2].partition("```")[0]
    assert [name for name in OPTIONS if f"[{flag(name)}" not in synopsis] == []
