"""What of launch options others may see."""

import pytest

from jupyter_ext.launch_options.shown import looks_secret, shown_options


def test_secrets_are_not_shown_but_their_names_are() -> None:
    options = {
        "cpus": 2,
        "environment": {"MODE": "fast", "API_TOKEN": "t", "DB": "mysql://u:p@h/d", "KEYBOARD": "x"},
        "spark": {"spark.executor.cores": 2, "spark.hadoop.fs.s3a.secret.key": "s"},
    }
    assert shown_options(options) == {
        "cpus": 2,
        "environment": {"MODE": "fast", "API_TOKEN": None, "DB": None, "KEYBOARD": "x"},
        "spark": {"spark.executor.cores": 2, "spark.hadoop.fs.s3a.secret.key": None},
    }
    assert options["environment"]["API_TOKEN"] == "t"


@pytest.mark.parametrize(
    "name",
    [
        *("PASSWORD", "DB_PASS", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GITHUB_TOKEN"),
        *("OPENAI_API_KEY", "apikey", "SSH_PRIVATE", "PGPASSWORD", "SENTRY_DSN", "MYSQL_PWD"),
    ],
)
def test_names_that_look_secret(name: str) -> None:
    assert looks_secret(name, "x")


@pytest.mark.parametrize("name", ["MODE", "MONKEY", "COMPASS", "PATH", "LANG", "OMP_NUM_THREADS"])
def test_names_that_do_not(name: str) -> None:
    assert not looks_secret(name, "http://host/path")
