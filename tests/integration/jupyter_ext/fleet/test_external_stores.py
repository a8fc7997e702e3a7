"""A fleet on somebody else's database and bucket."""

import asyncio
import os
import signal

import requests

from jupyter_ext.fleet.health import answers_at_all


def test_a_fleet_on_mariadb_and_a_bucket_of_its_own(fleet, mariadb, mariadb_database, seaweedfs):
    credentials = {
        "AWS_ACCESS_KEY_ID": seaweedfs.access_key,
        "AWS_SECRET_ACCESS_KEY": seaweedfs.secret_key,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    bucket = seaweedfs.bucket_url(f"up-{os.getpid()}")
    small = ("--labs", "1", "--gateways", "1")
    fleet.up(*small, "--database", mariadb_database, "--bucket", bucket, **credentials)
    status = fleet.status()
    external = {one["role"]: one for one in status["processes"] if one["state"] == "external"}
    assert set(external) == {"database", "store"}
    assert "fleet-test" not in external["database"]["url"]
    assert not list(fleet.data_dir.root.glob("*.sqlite"))

    headers = {"Authorization": f"Bearer {fleet.run('token', 'ada').strip()}"}
    address = f"{status['url']}api/contents/demo/there.txt"
    text = {"type": "file", "format": "text", "content": "there"}
    assert requests.put(address, json=text, headers=headers, timeout=30).ok

    # What shows that a process lives needs neither: nobody is replaced because they are away.
    servers = [one["url"] for one in status["processes"] if one["role"] in ("lab", "gateway")]
    for store in (mariadb, seaweedfs):
        store.process.signal(signal.SIGSTOP)
    try:
        assert all(asyncio.run(answers_at_all(url)) for url in servers for _ in range(3))
    finally:
        for store in (mariadb, seaweedfs):
            store.process.signal(signal.SIGCONT)

    # The credentials were given once; what was chosen holds until it is changed.
    fleet.run("down")
    fleet.run("up", "--detach")
    assert requests.get(address, headers=headers, timeout=30).json()["content"] == "there"
