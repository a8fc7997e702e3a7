"""The embedded object store: its bucket, and whether it takes data."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jupyter_ext.fleet.configuration import EMBEDDED_BUCKET, REGION

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

WARM_UP_KEY = ".fleet/warm-up"
PAUSE = 0.2


def prepare_bucket(endpoint: str, identities_file: Path, seconds: float) -> str | None:
    """Make the bucket and write to it; returns why that failed for ``seconds``, None if it did not.

    The first write makes the store grow its volumes, for some seconds: nobody's save should wait
    for that.
    """
    account = json.loads(identities_file.read_text())["identities"][0]["credentials"][0]
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=account["accessKey"],
        aws_secret_access_key=account["secretKey"],
        config=Config(
            s3={"addressing_style": "path"},
            proxies={},
            connect_timeout=2,
            read_timeout=10,
            retries={"total_max_attempts": 1},
        ),
    )
    deadline = time.monotonic() + seconds
    while True:
        try:
            _make_bucket(client)
            client.put_object(Bucket=EMBEDDED_BUCKET, Key=WARM_UP_KEY, Body=b"")
            return None
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                return str(error)
            time.sleep(PAUSE)


def _make_bucket(client: S3Client) -> None:
    try:
        client.create_bucket(Bucket=EMBEDDED_BUCKET)
    except (client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        return
