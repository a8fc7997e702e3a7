"""What of launch options others may see, and what is kept."""

import pytest

from jupyter_ext.launch_options.shown import (
    kept_options,
    looks_secret,
    shown_options,
    with_own_values,
)

OPTIONS = {
    "cpus": 2,
    "environment": {"MODE": "fast", "API_TOKEN": "t", "DB": "mysql://u:p@h/d", "KEYBOARD": "x"},
    "spark": {"spark.executor.cores": 2, "spark.hadoop.fs.s3a.secret.key": "s"},
}
SHOWN = {
    "cpus": 2,
    "environment": {"MODE": None, "API_TOKEN": None, "DB": None, "KEYBOARD": None},
    "spark": {"spark.executor.cores": 2, "spark.hadoop.fs.s3a.secret.key": None},
}


def test_others_see_the_names_of_variables_and_no_secret_of_spark() -> None:
    assert shown_options(OPTIONS) == SHOWN
    assert shown_options({"environment": 3}) == {"environment": 3}


def test_what_looks_secret_is_not_kept_even_for_its_user() -> None:
    kept = kept_options(OPTIONS)
    assert kept["environment"] == {"MODE": "fast", "API_TOKEN": None, "DB": None, "KEYBOARD": "x"}
    assert kept["spark"] == SHOWN["spark"]


def test_a_user_finds_their_own_values_in_what_everybody_sees() -> None:
    own = {"environment": {"MODE": "fast", "ELSE": "y"}}
    assert with_own_values(SHOWN, own)["environment"] == {**SHOWN["environment"], "MODE": "fast"}
    assert with_own_values(SHOWN, {}) == SHOWN
    assert with_own_values({"cpus": 1}, own) == {"cpus": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("PASSWORD", "DB_PASS", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GITHUB_TOKEN"),
        *("OPENAI_API_KEY", "apikey", "SSH_PRIVATE", "PGPASSWORD", "SENTRY_DSN", "MYSQL_PWD"),
        *("GITHUB_PAT", "PGPASS", "DBPASS", "SSHPASS", "MASTER_KEY", "BEARER", "CERT", "CONN"),
    ],
)
def test_names_that_look_secret(name: str) -> None:
    assert looks_secret(name, "x")


@pytest.mark.parametrize(
    "value",
    [
        *("https://ghx@host/simple", "mysql://u:pa/ss@h", "-----BEGIN PRIVATE KEY-----"),
        *("-Djavax.net.ssl.trustStorePassword=x", "Server=x;Password=y", "ghp_16C7e42F292c6912E7"),
    ],
)
def test_values_that_look_secret(value: str) -> None:
    assert looks_secret("MODE", value)


@pytest.mark.parametrize("name", ["MODE", "MONKEY", "PATH", "LANG", "OMP_NUM_THREADS"])
def test_names_that_do_not(name: str) -> None:
    assert not looks_secret(name, "http://host/path")
