"""What is in the way of a fleet is said in one line; nothing is left running or half made."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from jupyter_ext.fleet.leftovers import find_leftovers
from tests.servers.ports import free_ports


def refused(fleet, *arguments, **environment):
    said = fleet.up(*arguments, code=1, **environment)
    assert said.startswith("jupyter fleet: ")
    assert said.count("\n") == 1
    assert not fleet.data_dir.socket.exists()
    assert not fleet.data_dir.settings.exists()
    assert find_leftovers(fleet.data_dir) == []
    return said


def test_a_taken_front_port(fleet):
    with socket.socket() as other:
        other.bind(("127.0.0.1", fleet.port))
        other.listen()
        said = refused(fleet)
    assert f"port {fleet.port} is in use" in said
    assert "--port" in said


def test_a_database_that_does_not_answer(fleet):
    (port,) = free_ports(1)
    said = refused(fleet, "--database", f"mysql://fleet:s3cret@127.0.0.1:{port}/fleet")
    assert "--database" in said
    assert str(port) in said
    assert "s3cret" not in said


@pytest.mark.parametrize("url", ["postgresql://h/db", "nonsense", "sqlite:///relative/path.sqlite"])
def test_a_database_url_that_is_none(fleet, url):
    assert "--database" in refused(fleet, "--database", url)


def test_a_bucket_that_does_not_answer(fleet):
    (port,) = free_ports(1)
    url = f"s3://fleet?endpoint=http://127.0.0.1:{port}&region=r"
    said = refused(fleet, "--bucket", url, AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    assert "--bucket" in said
    assert f"127.0.0.1:{port}" in said


def test_wrong_credentials_for_a_bucket(fleet, seaweedfs):
    credentials = {"AWS_ACCESS_KEY_ID": "wrong", "AWS_SECRET_ACCESS_KEY": "wrong"}
    said = refused(fleet, "--bucket", seaweedfs.bucket_url("wrong-keys"), **credentials)
    assert "rejects our credentials" in said


def test_a_missing_program(fleet, tmp_path):
    assert "gateway" in refused(fleet, "--gateway-env", str(tmp_path))
    said = refused(fleet, "--kernel-env", str(tmp_path))
    assert "--kernel-env" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs kernels under other ids")
def test_a_kernel_environment_that_others_cannot_read(fleet, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o700)
    environment = tmp_path / "closed" / "kernel"
    (environment / "bin").mkdir(parents=True)
    (environment / "share" / "jupyter-fleet" / "kernelspecs").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to("/usr/bin/python3.11")
    said = refused(fleet, "--kernel-env", str(environment))
    assert "cannot be executed by an unprivileged user" in said


def test_a_kernel_environment_without_the_package(fleet):
    environment = Path("/tmp") / f"fleet-bare-{os.getpid()}"
    (environment / "bin").mkdir(parents=True)
    (environment / "share" / "jupyter-fleet" / "kernelspecs").mkdir(parents=True)
    try:
        (environment / "bin" / "python").symlink_to("/usr/bin/python3.11")
        said = refused(fleet, "--kernel-env", str(environment))
        assert "cannot run kernels" in said
        assert "jupyter-fleet[kernel]" in said
    finally:
        shutil.rmtree(environment)


def test_a_refused_change_leaves_the_kept_settings(fleet):
    fleet.up("--labs", "1", "--gateways", "1")
    fleet.run("down")
    kept = fleet.data_dir.settings.read_bytes()
    (port,) = free_ports(1)
    said = fleet.run("up", "--detach", "--database", f"mysql://u:p@127.0.0.1:{port}/d", code=1)
    assert "--database" in said
    assert fleet.data_dir.settings.read_bytes() == kept
    fleet.run("up", "--detach")
    assert len(fleet.processes()) == 5
