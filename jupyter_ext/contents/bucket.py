"""The object store: immutable bodies under keys that are never written twice."""

import os
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from jupyter_ext.database.unavailable import Unavailable

CONNECTIONS = 16
HASH_METADATA = "fleet-sha256"
_ADVICE = "use s3://BUCKET[/PREFIX]?endpoint=http://HOST:PORT&region=REGION (or oss://…)"
_BIG_BODY = 64 * 1024 * 1024
_SPOOL = 8 * 1024 * 1024


class StoreUnavailable(Unavailable):
    """The store is unreachable or rejects us; `for_operator` says which, in one line."""

    FOR_CLIENTS = (
        "the store of file contents is unavailable or rejects this lab: try again in a "
        "moment. If the problem persists, contact an operator: the server's log has details"
    )


class ObjectMissing(Exception):
    """No object has this key."""


@dataclass(frozen=True)
class BucketAddress:
    """Where bodies are stored. `prefix` is empty or ends with a slash."""

    scheme: str
    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None


def parse_bucket_url(url: str) -> BucketAddress:
    """Reads `s3://BUCKET[/PREFIX]?endpoint=…&region=…` or the same with `oss://` (Aliyun).

    Raises StoreUnavailable, which says what to write instead; rejects credentials in the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("s3", "oss") or not parts.netloc:
        raise StoreUnavailable(f"the bucket URL cannot be read: {_ADVICE}")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise StoreUnavailable(
            "the bucket URL must name a bucket only; credentials go into the file that "
            f"AWS_SHARED_CREDENTIALS_FILE names, the host into endpoint: {_ADVICE}"
        )
    options = parse_qs(parts.query, strict_parsing=False)
    unknown = set(options) - {"endpoint", "region"}
    if unknown:
        raise StoreUnavailable(f"the bucket URL has an unknown option {min(unknown)!r}: {_ADVICE}")
    endpoint = options.get("endpoint", [None])[0]
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise StoreUnavailable(f"the endpoint of the bucket URL must be http(s): {_ADVICE}")
    if parts.scheme == "oss" and endpoint is None:
        raise StoreUnavailable(f"an oss:// bucket URL needs an endpoint: {_ADVICE}")
    prefix = parts.path.strip("/")
    region = options.get("region", [None])[0]
    return BucketAddress(
        parts.scheme, parts.netloc, prefix + "/" if prefix else "", endpoint, region
    )


class Bucket:
    """Puts, gets and deletes bodies. Every method blocks; any number of threads may call them."""

    def __init__(self, url: str) -> None:
        self.address = parse_bucket_url(url)
        virtual_host = self.address.scheme == "oss" or self.address.endpoint is None
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=self.address.endpoint,
            # Only a signature needs a region where there is an endpoint.
            region_name=self.address.region or ("us-east-1" if self.address.endpoint else None),
            config=Config(
                max_pool_connections=CONNECTIONS,
                connect_timeout=3,
                read_timeout=30,
                tcp_keepalive=True,
                retries={"mode": "standard", "max_attempts": 3},
                # The newer checksum trailers are unknown to OSS and to older stores.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "virtual" if virtual_host else "path"},
            ),
        )
        # Only an additional safeguard, which not every store supports: SQL decides which version is
        # current.
        self._create_only = True
        if self.address.scheme == "oss":
            self._create_only = False
            self._client.meta.events.register("before-sign.s3.PutObject", _forbid_overwrite)

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Stores a body under a key that was never used; `metadata` must be ASCII.

        Raises StoreUnavailable.
        """
        arguments: dict[str, Any] = {
            "Bucket": self.address.bucket,
            "Key": self.address.prefix + key,
            "Body": body,
            "Metadata": dict(metadata),
        }
        try:
            if self._create_only:
                try:
                    self._client.put_object(IfNoneMatch="*", **arguments)
                    return
                except ClientError as error:
                    if _code(error) not in ("NotImplemented", "501"):
                        raise
                    self._create_only = False
            self._client.put_object(**arguments)
        except ClientError as error:
            # Keys are drawn at random: one that exists is our own first attempt, whose answer
            # was lost on the way.
            taken = _code(error) in ("PreconditionFailed", "412", "FileAlreadyExists")
            if taken and self._hash(key) == metadata.get(HASH_METADATA):
                return
            raise self._unavailable(error) from error
        except BotoCoreError as error:
            raise self._unavailable(error) from error

    def _hash(self, key: str) -> str | None:
        head = self._client.head_object(Bucket=self.address.bucket, Key=self.address.prefix + key)
        found: str | None = head["Metadata"].get(HASH_METADATA)
        return found

    def put_file(self, key: str, file: BinaryIO, metadata: Mapping[str, str]) -> None:
        """The same for the rest of an open file, in parts if it is big; raises StoreUnavailable."""
        try:
            self._client.upload_fileobj(
                file,
                self.address.bucket,
                self.address.prefix + key,
                ExtraArgs={"Metadata": dict(metadata)},
                Config=TransferConfig(
                    multipart_threshold=_BIG_BODY, multipart_chunksize=_BIG_BODY // 4
                ),
            )
        except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as error:
            raise self._unavailable(error) from error

    def copy(self, source: str, key: str, metadata: Mapping[str, str]) -> None:
        """Stores the body of `source` under `key` too, inside of the store.

        Raises StoreUnavailable or ObjectMissing.
        """
        try:
            self._client.copy_object(
                Bucket=self.address.bucket,
                Key=self.address.prefix + key,
                CopySource={"Bucket": self.address.bucket, "Key": self.address.prefix + source},
                Metadata=dict(metadata),
                MetadataDirective="REPLACE",
            )
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(error, source) from error

    def get(self, key: str) -> bytes:
        """The whole body; raises StoreUnavailable or ObjectMissing."""
        try:
            answer = self._client.get_object(
                Bucket=self.address.bucket, Key=self.address.prefix + key
            )
            body: bytes = answer["Body"].read()
            return body
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(error, key) from error

    def delete(self, keys: Iterable[str]) -> None:
        """Removes objects; a missing one is not an error. Raises StoreUnavailable, and ValueError
        for an empty key, which would leave only the prefix and name another object."""
        keys = list(keys)
        if not all(keys):
            raise ValueError("an object without a key cannot be removed")
        try:
            for key in keys:
                self._client.delete_object(
                    Bucket=self.address.bucket, Key=self.address.prefix + key
                )
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(error) from error

    def join(self, keys: Iterable[str]) -> BinaryIO:
        """The concatenated bodies in a temporary file, which the caller closes.

        Raises StoreUnavailable or ObjectMissing.
        """
        joined: Any = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115
        try:
            for key in keys:
                joined.write(self.get(key))
        except BaseException:
            joined.close()
            raise
        joined.seek(0)
        return joined

    def create_if_missing(self) -> None:
        """Checks that the bucket exists and is writable; raises StoreUnavailable."""
        try:
            try:
                self._client.head_bucket(Bucket=self.address.bucket)
            except ClientError as error:
                if _code(error) not in ("404", "NoSuchBucket"):
                    raise
                self._create_bucket()
        except (ClientError, BotoCoreError) as error:
            raise self._unavailable(error) from error
        probe = f".fleet-probe/{uuid.uuid4().hex}"
        # Not empty: SeaweedFS allocates the bucket's volumes at the first byte.
        self.put(probe, b"probe", {})
        self.delete([probe])

    def _create_bucket(self) -> None:
        arguments: dict[str, Any] = {"Bucket": self.address.bucket}
        region = self._client.meta.region_name
        if self.address.endpoint is None and region not in (None, "us-east-1"):
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": region}
        try:
            self._client.create_bucket(**arguments)
        except ClientError as error:
            # Another lab was faster.
            if _code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def _unavailable(self, error: Exception, key: str | None = None) -> Exception:
        where = self.address.endpoint or f"the store of bucket {self.address.bucket}"
        if isinstance(error, ClientError):
            code = _code(error)
            if key is not None and code in ("NoSuchKey", "404"):
                return ObjectMissing(key)
            if code in ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
                return StoreUnavailable(
                    f"{where} rejects our credentials for bucket {self.address.bucket} "
                    f"({code}): correct the file that AWS_SHARED_CREDENTIALS_FILE names"
                )
            if code in ("NoSuchBucket", "404"):
                return StoreUnavailable(
                    f"the bucket {self.address.bucket} does not exist: create it"
                )
            return StoreUnavailable(f"{where} answered {code} for bucket {self.address.bucket}")
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return StoreUnavailable(
                f"there are no credentials for {where}: name a file in AWS_SHARED_CREDENTIALS_FILE"
            )
        if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ReadTimeoutError):
            return StoreUnavailable(f"{where} cannot be reached or does not answer")
        return StoreUnavailable(f"{where}: {' '.join(str(error).split())}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown error"))


def _forbid_overwrite(request: Any, **_arguments: Any) -> None:
    request.headers["x-oss-forbid-overwrite"] = "true"


def check(bucket_url: str) -> None:
    """Raises StoreUnavailable with one clear line unless bodies can be put into the bucket.

    Creates the bucket if it is missing and the store lets us.
    """
    if "AWS_EC2_METADATA_DISABLED" not in os.environ and parse_bucket_url(bucket_url).endpoint:
        # With an endpoint, credentials never come from the metadata service of an AWS machine, and
        # asking it takes seconds elsewhere.
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    try:
        Bucket(bucket_url).create_if_missing()
    except (ValueError, BotoCoreError) as error:
        raise StoreUnavailable(f"the bucket URL cannot be used: {error}") from error
