"""What may be sent to a job of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.rayjob.sent_arguments import refuse_logins


@pytest.mark.parametrize(
    "uri",
    [
        "abfss://container@account.dfs.core.windows.net/x",
        "gs://anonymous@bucket/x",
        "hdfs://user@host:8020/x",
        "s3://bucket/x?endpoint_override=http://host:9000",
    ],
)
def test_a_name_in_a_uri_is_no_login(uri: str) -> None:
    refuse_logins([uri, {"data": uri, "obj": object()}])


@pytest.mark.parametrize(
    "given",
    [
        ["s3://key:secret@bucket/x"],
        {"data": ["x", "hdfs://:secret@host/x"]},
        {"evals": [("s3://key:secret@bucket/x", "test")], "obj": object()},
    ],
)
def test_a_password_in_a_uri_is_refused(given: Any) -> None:
    with pytest.raises(ParameterError, match="a URI with a login in it would be visible"):
        refuse_logins(given)
