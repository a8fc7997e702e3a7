"""One local Ray cluster for all tests of this folder, and small data sets on disk."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow.fs as pafs
import pytest

from tests.servers.ray_head import RayHead, ray_head
from tests.servers.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

# To the store of tests, as pods and kernels have it from a secret.
LOGIN = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    import ray

    from gateway_ext.xgb_ray.ray_cluster.connect import connect

    connect("local", local_cpus=8)
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def _nothing_stays(ray_cluster: None) -> Iterator[None]:
    """After every test no actor and no placement group is left over."""
    yield
    from ray.util.placement_group import placement_group_table

    deadline = time.monotonic() + 20
    while True:
        groups = [g for g in placement_group_table().values() if g["state"] not in ("REMOVED",)]
        alive = living_workers()
        if not groups and not alive:
            return
        assert time.monotonic() < deadline, (groups, alive)
        time.sleep(0.2)


def living_workers() -> list[str]:
    """Actors of ours that are not dead, by Ray's own book."""
    from ray._private.state import actors

    return [
        key
        for key, actor in actors().items()
        if actor["ActorClassName"].endswith("Worker") and actor["State"] != "DEAD"
    ]


@pytest.fixture(scope="session")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    """A cluster outside of this process, for tests of what connects to one."""
    log = tmp_path_factory.mktemp("ray-head") / "ray.log"
    with ray_head(log, cpus=6, environment=LOGIN) as head:
        yield head


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    rows = 12_000
    data = pd.DataFrame(
        rng.standard_normal((rows, 6)).astype("float32"), columns=[f"x{i}" for i in range(6)]
    )
    score = data.x0 + data.x1 * data.x2 + rng.standard_normal(rows)
    data["label"] = (score > 0).astype("int32")
    data["weight"] = rng.uniform(0.5, 2.0, rows).astype("float32")
    return data


@pytest.fixture(scope="session")
def parquet(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of several row groups."""
    folder = tmp_path_factory.mktemp("data")
    for i in range(3):
        part = frame.iloc[i * 4000 : (i + 1) * 4000]
        part.to_parquet(folder / f"part-{i}.parquet", row_group_size=1500)
    return folder


class Uri(Protocol):
    """The URI of a place in a bucket; without `login` that has to be in the environment."""

    def __call__(self, path: str, login: bool = True) -> str: ...


@pytest.fixture
def uri(seaweedfs: SeaweedFS, parquet: Path) -> Uri:
    """A new bucket with the test's data in `data/`."""
    address = seaweedfs.endpoint.removeprefix("http://")
    store = pafs.S3FileSystem(
        access_key=seaweedfs.access_key,
        secret_key=seaweedfs.secret_key,
        endpoint_override=address,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )
    bucket = "xgb" + uuid.uuid4().hex[:8]
    store.create_dir(bucket)
    pafs.copy_files(str(parquet), f"{bucket}/data", destination_filesystem=store)

    def make(path: str, login: bool = True) -> str:
        keys = f"{seaweedfs.access_key}:{seaweedfs.secret_key}@" if login else ""
        options = f"endpoint_override={address}&scheme=http&region=us-east-1"
        return f"s3://{keys}{bucket}/{path}?{options}"

    return make
