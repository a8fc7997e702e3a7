"""The cause in what the real spark-submit printed, of Spark 4.3 with YARN 3.5.

Stacks are cut after four lines, and hosts, users and folders have other names.
"""

from pathlib import Path

import pytest

from gateway_ext.process_proxies.spark_submit_output import (
    LONGEST_CAUSE,
    cause,
    submits_nothing,
)

OUTPUTS = Path(__file__).parent / "spark_submit_outputs"
ONE = "application_1795793781933_000"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "unknown_queue",
            f"Application {ONE}2 submitted by user gateway to unknown queue: nowhere",
        ),
        (
            "refused_user",
            f"User gateway does not have permission to submit {ONE}4 to queue closed",
        ),
        (
            "too_large",
            "Required AM memory (921600+128 MB) is above the max threshold (2048 MB) of this "
            "cluster! Please check the values of 'yarn.scheduler.maximum-allocation-mb' and/or "
            "'yarn.nodemanager.resource.memory-mb'.",
        ),
        ("no_impersonation", "User: gateway is not allowed to impersonate ada"),
        (
            "no_resource_manager",
            "Call From gateway-1/127.0.0.1 to localhost:9 failed on connection exception: "
            "Connection refused",
        ),
        # It was killed while it still tried.
        ("no_resource_manager_yet", "no server of the cluster answers at localhost/127.0.0.1:9"),
        (
            "no_configuration",
            "When running with master 'yarn' either HADOOP_CONF_DIR or YARN_CONF_DIR must be set "
            "in the environment.",
        ),
        ("wrong_setting", "Driver memory must be a positive number"),
        ("unknown_option", "Unrecognized option: --no-such-option"),
    ],
)
def test_the_cause_in_one_line(name: str, words: str) -> None:
    assert cause((OUTPUTS / f"{name}.txt").read_text()) == words


def test_every_output_is_looked_at() -> None:
    assert len(list(OUTPUTS.iterdir())) == 9


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", ""),
        ("\n  \n", ""),
        ("spark-submit: command not found\n", "spark-submit: command not found"),
        # An exception without a message has its reason in a cause.
        (
            'Exception in thread "main" java.lang.reflect.UndeclaredThrowableException\n'
            "\tat a.B.c(B.java:1)\n"
            "Caused by: java.io.IOException: no ticket\n\t... 3 more\n",
            "no ticket",
        ),
        (
            "26/11/27 15:37:20 ERROR Client: it broke\n26/11/27 15:37:21 INFO Hook: bye\n",
            "it broke",
        ),
        ("26/11/27 15:37:20 INFO Client: the last words\n\tat a.B.c(B.java:1)\n", "the last words"),
    ],
)
def test_other_outputs(output: str, words: str) -> None:
    assert cause(output) == words


def test_a_cause_is_bounded() -> None:
    assert len(cause('Exception in thread "main" a.B: ' + "x" * 10_000)) == LONGEST_CAUSE


@pytest.mark.parametrize(
    ("name", "nothing"),
    [
        ("no_resource_manager", True),
        ("no_impersonation", True),
        ("unknown_option", True),
        # YARN has given the application an id.
        ("unknown_queue", False),
        ("refused_user", False),
        # Nobody knows how far it came: it does not write what it does.
        ("wrong_setting", False),
    ],
)
def test_it_is_certain_that_no_application_was_submitted(name: str, nothing: bool) -> None:
    assert submits_nothing((OUTPUTS / f"{name}.txt").read_text()) is nothing


def test_a_long_output_may_have_lost_the_applications_id() -> None:
    assert not submits_nothing((OUTPUTS / "no_resource_manager.txt").read_text() * 40)
