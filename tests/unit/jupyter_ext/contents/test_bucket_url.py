"""URLs of buckets."""

import pytest

from jupyter_ext.contents.bucket import BucketAddress, StoreUnavailable, parse_bucket_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://b", BucketAddress("s3", "b", "", None, None)),
        ("s3://b/", BucketAddress("s3", "b", "", None, None)),
        (
            "s3://b/some/where/?endpoint=http://127.0.0.1:8333&region=us-east-1",
            BucketAddress("s3", "b", "some/where/", "http://127.0.0.1:8333", "us-east-1"),
        ),
        (
            "oss://b?endpoint=https://oss-cn-hangzhou.aliyuncs.com&region=oss-cn-hangzhou",
            BucketAddress(
                "oss", "b", "", "https://oss-cn-hangzhou.aliyuncs.com", "oss-cn-hangzhou"
            ),
        ),
    ],
)
def test_good_urls(url: str, address: BucketAddress) -> None:
    assert parse_bucket_url(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "s3://BUCKET"),
        ("bucket", "s3://BUCKET"),
        ("gs://b", "s3://BUCKET"),
        ("s3:///prefix", "s3://BUCKET"),
        ("s3://key:secret@b", "AWS_SHARED_CREDENTIALS_FILE"),
        ("s3://host:9000/b", "endpoint"),
        ("s3://b?endpoint=127.0.0.1:9000", "http"),
        ("s3://b?endpont=http://x", "'endpont'"),
        ("oss://b", "endpoint"),
    ],
)
def test_bad_urls_name_the_mend(url: str, words: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        parse_bucket_url(url)
    assert words in refused.value.for_operator
    assert "secret" not in refused.value.for_operator
