"""The embedded object store: its bucket, and whether it takes data."""

from __future__ import annotations

import time
import uuid

from jupyter_ext.contents.bucket import Bucket, StoreUnavailable

PAUSE = 0.2


def prepare_bucket(url: str, seconds: float) -> None:
    """Make the bucket and write to it; raises `StoreUnavailable` if that fails for ``seconds``.

    boto3 finds the credentials in its usual places. The first write makes the store allocate its
    volumes, which takes some seconds: no save should have to wait for that.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            bucket = Bucket(url)
            bucket.create_if_missing()
            key = f".fleet-probe/{uuid.uuid4().hex}"
            bucket.put(key, b"warm", {})
            bucket.delete([key])
            return
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
