"""What spark-submit gets, and what a client may not make it do."""

import pytest

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.spark_submit import (
    OptionRefused,
    Submission,
    application_id_in,
    check_extra_options,
    fill_in,
    submit_command,
    submit_environment,
)

ALLOWED = ["spark.executor.memory", "spark.sql."]
SUBMISSION = Submission(
    name="the-kernel",
    tags=("fleet-kernel-the-kernel", "fleet-launch-l1"),
    script="/s/agent.py",
    document="/s/start.json",
    bundle="/s/agent.zip",
    proxy_user=None,
)


def test_the_whole_command() -> None:
    options = (
        "--master yarn --deploy-mode client --name ${KERNEL_ID:-ERROR__NO__KERNEL_ID} "
        '--conf spark.yarn.maxAppAttempts=4 --conf "spark.x=${TEAM:-two words}" '
        "--files /etc/team.conf ${KERNEL_EXTRA_SPARK_OPTS}"
    )
    command = submit_command(
        "/spark/bin/spark-submit",
        options,
        ["--queue", "q"],
        {"KERNEL_ID": "id; rm -rf / --files /etc/shadow"},
        SUBMISSION,
    )
    assert command == [
        "/spark/bin/spark-submit",
        *["--master", "yarn"],
        *["--master", "yarn", "--deploy-mode", "client"],
        # A value stays one word, whatever is in it.
        *["--name", "id; rm -rf / --files /etc/shadow"],
        *["--conf", "spark.yarn.maxAppAttempts=4"],
        *["--conf", "spark.x=two words"],
        *["--queue", "q"],
        # The last one counts.
        *["--deploy-mode", "cluster", "--name", "the-kernel"],
        *["--conf", "spark.yarn.tags=fleet-kernel-the-kernel,fleet-launch-l1"],
        *["--conf", "spark.yarn.submit.waitAppCompletion=false"],
        *["--conf", "spark.yarn.appMasterEnv.PYTHONNOUSERSITE=1"],
        *["--conf", "spark.yarn.maxAppAttempts=1"],
        *["--conf", "spark.yarn.preserve.staging.files=false"],
        *["--files", "/s/start.json,/etc/team.conf"],
        *["--py-files", "/s/agent.zip"],
        *["/s/agent.py", "--document", "start.json"],
    ]
    with pytest.raises(LaunchFailed, match="SPARK_OPTS in the kernelspec cannot be read"):
        submit_command("s", '"', [], {}, SUBMISSION)


def test_what_a_client_may_ask_for() -> None:
    asked = "--num-executors=3 --queue team --conf spark.sql.x='a b' -c spark.executor.memory=2g"
    assert check_extra_options(asked, ALLOWED) == [
        *["--num-executors", "3", "--queue", "team"],
        *["--conf", "spark.sql.x=a b", "--conf", "spark.executor.memory=2g"],
    ]
    assert check_extra_options("", ALLOWED) == []


@pytest.mark.parametrize(
    "asked",
    [
        "--files /root/secrets.json",
        "--py-files /root/secrets.json",
        "--jars file:///root/x",
        "--proxy-user root",
        "--properties-file /root/x",
        "--keytab /root/x",
        "--conf spark.yarn.dist.files=/root/x",
        "--conf spark.submit.pyFiles=/root/x",
        "--conf spark.yarn.tags=x",
        "--queue --files",
        "--queue",
        "$(id)",
        "script.py",
        "'",
    ],
)
def test_what_a_client_may_not_ask_for(asked: str) -> None:
    with pytest.raises(OptionRefused, match="KERNEL_EXTRA_SPARK_OPTS"):
        check_extra_options(asked, ALLOWED)


def test_variables_as_a_shell_fills_them_in() -> None:
    values = {"A": "1", "EMPTY": ""}
    filled = fill_in("$A ${A} ${B:-two} ${EMPTY:-e} [$B] $(id) `id`", values)
    assert filled == "1 1 two e [] $(id) `id`"


def test_spark_submit_sees_hadoop_and_no_secret() -> None:
    gateway = {
        "PATH": "/bin",
        "HADOOP_CONF_DIR": "/etc/hadoop",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "EG_AUTH_TOKEN": "hush",
    }
    spec = {"SPARK_HOME": "${HOME_OF_SPARK:-/spark}", "SPARK_OPTS": "$X"}
    environment = submit_environment(gateway, spec, {"KERNEL_ID": "k", "TOKEN": "of the person"})
    assert environment == {
        "PATH": "/bin",
        "HADOOP_CONF_DIR": "/etc/hadoop",
        "SPARK_HOME": "/spark",
        "KERNEL_ID": "k",
    }


def test_the_application_that_was_submitted() -> None:
    output = (
        "INFO Client: Requesting a new application\n"
        "INFO YarnClientImpl: Submitted application application_1790000000000_0042\n"
    )
    assert application_id_in(output) == "application_1790000000000_0042"
    assert application_id_in("nothing") == ""
