import errno
import json
import os
import re
import subprocess
import sys

import pytest

from jupyter_ext.fleet import command_line, secret_files, start
from jupyter_ext.fleet.command_line import main
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.kept_settings import save_settings
from jupyter_ext.fleet.notices import notices
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.status import as_table, describe
from jupyter_ext.fleet.supervisor import ProcessState
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import TokenVerifier
from tests.servers.ports import free_ports


@pytest.fixture
def known(tmp_path):
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    SecretFiles(data_dir.secrets).create()
    names = Settings().port_names
    save_settings(data_dir, Settings(ports={name: 12000 + n for n, name in enumerate(names)}))
    return data_dir


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["secrets"], "required: status|rotate|drop"),
        (["token", "--expires", "soon"], "such as 90s, 30m, 8h\n"),
    ],
)
def test_what_is_missing_or_wrong_is_said_with_what_to_type(capsys, arguments, words):
    with pytest.raises(SystemExit):
        main(arguments)
    assert words in capsys.readouterr().err


def token_of(capsys, data_dir, *arguments):
    assert main(["token", *arguments, "--data-dir", str(data_dir.root)]) == 0
    token = capsys.readouterr().out.strip()
    return TokenVerifier(SecretFiles(data_dir.secrets).token_keys).verify(token)


def test_a_token_owns_the_demo_project_unless_told(capsys, known):
    identity = token_of(capsys, known, "ada")
    assert (identity.user, dict(identity.projects)) == ("ada", {"demo": Role.OWNER})
    assert identity.service is None


def test_a_token_has_the_roles_that_were_asked_for(capsys, known):
    grants = ["--project", "one=viewer", "--project", "two=editor", "--expires", "60"]
    identity = token_of(capsys, known, "ada", *grants)
    assert dict(identity.projects) == {"one": Role.VIEWER, "two": Role.EDITOR}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["token", "ada", "--project", "demo=king"], "not a role"),
        (["token", "ada", "--project", "De.mo=owner"], "not a project name"),
        (["token", "ada", "--project", "a=viewer", "--project", "a=owner"], "a project twice"),
        (["token", " "], "user name"),
        (["logs", "lab-9"], "logs"),
        (["down", "--kernels"], "is not running"),
        (["kernels"], "is not running: `jupyter fleet up` starts it"),
        (["login-link", "ada"], "is not running: `jupyter fleet up` starts it"),
        (["drain", "gateway-1"], "is not running: `jupyter fleet up` starts it"),
        (["kernel", "k", "--gone"], "is not running: `jupyter fleet up` starts it"),
        (
            ["token", "ada", "--expires", "0"],
            "--expires 0 is out of range",
        ),
        (["token", "ada", "--expires", "401d"], "1s to 400d"),
    ],
)
def test_what_cannot_be_done_is_one_line(capsys, known, arguments, message):
    assert main([*arguments, "--data-dir", str(known.root)]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


COMMANDS = [
    *(["up", "--detach"], ["status"], ["down"], ["kernels"], ["kernel", "k"]),
    *(["drain", "gateway-1"], ["logs"], ["token", "ada"]),
]


@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "writable"), (errno.EACCES, "make sure")],
)
def test_what_the_operating_system_refuses_is_one_line(
    capsys, known, monkeypatch, arguments, number, advice
):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), str(known.root / "some-file"))

    command = f"{arguments[0]}_command"
    assert callable(getattr(command_line, command))
    monkeypatch.setattr(command_line, command, refuse)
    assert main([*arguments, "--data-dir", str(known.root)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(known.root / "some-file") in said
    assert os.strerror(number) in said
    assert advice in said


def test_a_wrong_address_is_said_before_a_running_fleet_is_looked_at(capsys, known, monkeypatch):
    runs = {"front": ProcessState("front", "running", 17)}
    monkeypatch.setattr(command_line.Supervisor, "states", lambda _: runs)
    assert main(["up", "--listen", "300.1.1.1", "--data-dir", str(known.root)]) == 1
    assert "--listen 300.1.1.1 is not an IP address" in capsys.readouterr().err


def test_a_full_disk_is_said_by_up(capsys, known, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(secret_files, "write_private", full)
    options = ["--bucket", "embedded", "--port", str(free_ports(1)[0])]
    assert main(["up", "--detach", *options, "--data-dir", str(known.root)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{known.root}: No space left on device: free some space" in said


def test_a_broken_key_of_the_platform_is_said(capsys, known):
    SecretFiles(known.secrets).platform_key.write_text("nonsense")
    assert main(["token", "ada", "--data-dir", str(known.root)]) == 1
    said = capsys.readouterr().err
    assert "platform.pem: no private key can be read" in said
    assert "from a backup" in said


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_directory_of_another_user_is_said_to_be_one(capsys, known, monkeypatch, arguments):
    monkeypatch.setattr(os, "geteuid", lambda: known.root.stat().st_uid + 12345)
    assert main([*arguments, "--data-dir", str(known.root)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "belongs to another user" in said
    assert "--data-dir" in said


@pytest.mark.parametrize("command", [["status"], ["down"], ["token", "ada"]])
def test_a_directory_without_a_fleet_is_said(capsys, tmp_path, command):
    assert main([*command, "--data-dir", str(tmp_path / "none")]) == 1
    assert "there is no fleet" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_fleet_that_is_down_is_listed_as_stopped(capsys, known):
    assert main(["status", "--json", "--data-dir", str(known.root)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["url"] == "http://127.0.0.1:8888/"
    assert {one["state"] for one in document["processes"]} == {"stopped"}
    assert [one["role"] for one in document["processes"]] == [
        "front",
        "kernel-front",
        *["lab"] * 2,
        *["gateway"] * 2,
        "store",
    ]


@pytest.mark.parametrize("arguments", [["token", "ada", "--project", "demo"], ["fly"], []])
def test_wrong_usage_is_told_by_the_parser(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_the_version_names_the_build(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"jupyter fleet \S+ \(build \w+\)\n", capsys.readouterr().out)


@pytest.mark.parametrize("option", [["--labs", "0"], ["--port", "70000"], ["--bucket", ""]])
def test_a_wrong_option_of_up_changes_nothing(capsys, tmp_path, option):
    data_dir = tmp_path / "d"
    assert main(["up", *option, "--data-dir", str(data_dir)]) == 1
    assert option[0] in capsys.readouterr().err
    assert not data_dir.exists()


def test_an_option_that_changes_nothing_leaves_a_fleet_as_it_is(capsys, known, monkeypatch):
    monkeypatch.setattr(start, "bring_up", lambda *_: pytest.fail("the fleet was changed"))
    before = known.settings.read_bytes()
    assert main(["up", "--cull-warning", "10m", "--data-dir", str(known.root)]) == 1
    assert "--cull-warning has no effect without --cull-idle" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["up", "--shown-folders", "/nope", "--data-dir", str(known.root)])
    assert "'/nope' does not exist" in capsys.readouterr().err
    assert known.settings.read_bytes() == before


def test_a_process_is_described_and_shown():
    settings = Settings(labs=1, gateways=0, bucket="s3://b", ports={"lab-1": 12001})
    (lab,) = [member for member in settings.members if member.role == "lab"]
    one = describe(lab, ProcessState("lab-1", "running", 17, "0123abc"))
    assert one == {
        "name": "lab-1",
        "role": "lab",
        "pid": 17,
        "url": "http://127.0.0.1:12001",
        "health_url": "http://127.0.0.1:12001/api",
        "state": "running",
        "build": "0123abc",
    }
    gateway = {**one, "name": "gateway-1", "draining": True}
    store = {**one, "name": "store", "health_url": "http://127.0.0.1:12009/healthz"}
    external = {"name": "database", "state": "external", "pid": None, "url": "mysql://h"}
    table = as_table({"processes": [one, gateway, store, external]}, Settings())
    health = "Health checks, open to all: /api on lab-1, gateway-1; /healthz on store. No metrics"
    assert health in table
    assert table.splitlines()[2].split()[:2] == ["gateway-1", "draining"]
    assert table.splitlines()[1].split() == [
        "lab-1",
        "running",
        "17",
        "0123abc",
        "http://127.0.0.1:12001",
    ]


def test_status_shows_where_clusters_reach_gateways_and_where_kernels_run():
    one = {
        "name": "gateway-1",
        "state": "running",
        "pid": 17,
        "build": "b",
        "url": "http://127.0.0.1:1",
        "advertised_url": "http://192.0.2.7:1",
    }
    counts = {"on this machine": 2, "in Kubernetes": 1, "in YARN": 0, "not started yet": 0}
    table = as_table({"processes": [one], "kernels": counts}, Settings())
    assert "http://127.0.0.1:1, http://192.0.2.7:1" in table
    assert table.endswith("\n\nKernels: 2 on this machine, 1 in Kubernetes")
    assert as_table({"processes": [one], "kernels": dict.fromkeys(counts, 0)}, Settings()).endswith(
        "Kernels: none"
    )


def test_up_says_which_ports_clusters_connect_to(known):
    ports = {"gateway-1": 11011, "gateway-2": 11012}
    assert notices(Settings(ports=ports), known) == []
    for cluster in ({"kubeconfig": "/k"}, {"yarn_conf": "/y"}):
        [line] = notices(Settings(ports=ports, **cluster), known)
        assert "cannot reach" in line
        assert "`jupyter fleet up --advertise HOST`" in line
    [line] = notices(Settings(ports=ports, advertise="192.0.2.7"), known)
    assert "192.0.2.7, without encryption" in line
    assert line.endswith("connect to ports 11011, 11012")
    [line] = notices(Settings(gateways=1, ports=ports, advertise="192.0.2.7"), known)
    assert line.endswith("connect to port 11011")
    assert (
        "only programs of this machine"
        in notices(Settings(ports=ports, advertise="127.0.0.2"), known)[1]
    )


def test_commands_other_than_up_wait_for_no_library_that_takes_long_to_import():
    slow = ("boto3", "jsonschema", "sqlalchemy")
    code = "import sys, jupyter_ext.fleet.command_line as _; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in slow if f"'{name}'" in done.stdout] == []
    assert "'jupyter_ext.fleet.command_line'" in done.stdout
