"""Where Spark's files of an application are, and their removal by Hadoop's client."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from gateway_ext.process_proxies.selectors import ApplicationId
from gateway_ext.process_proxies.spark_staging import (
    HadoopClient,
    hadoop_client,
    remove_staging,
    removed_by_spark,
    staging_folder,
    staging_root_in,
    staging_setting,
)

ONE = ApplicationId("application_1_0001")


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ([], ""),
        (["--conf", "spark.yarn.stagingDir=hdfs://n/tmp/"], "hdfs://n/tmp"),
        (["-c", "spark.yarn.stagingDir=/a", "--conf", "spark.yarn.stagingDir=/b"], "/b"),
        (["--conf=spark.yarn.stagingDir=file:///c", "agent.py"], "file:///c"),
        (["--name", "spark.yarn.stagingDir=/d", "--conf", "spark.yarn.queue=q"], ""),
    ],
)
def test_the_options_say_where_the_files_go(command: list[str], setting: str) -> None:
    assert staging_setting(command) == setting


def test_the_output_says_where_the_files_are() -> None:
    output = (
        "26/11/27 15:24:43 INFO Client: Uploading resource file:/k/submit/start.json -> "
        "hdfs://n:8020/user/ada/.sparkStaging/application_1_0001/start.json\n"
        "26/11/27 15:24:44 INFO Client: Submitting application application_1_0001\n"
    )
    assert staging_root_in(output) == "hdfs://n:8020/user/ada"
    assert staging_root_in("26/11/27 15:24:44 WARN Client: nothing") == ""


def test_spark_says_which_files_it_has_removed_itself() -> None:
    outputs = Path(__file__).parent / "spark_submit_outputs"
    found = removed_by_spark((outputs / "unknown_queue.txt").read_text())
    assert found == {"application_1795793781933_0002"}
    assert removed_by_spark((outputs / "no_resource_manager.txt").read_text()) == set()


@pytest.mark.parametrize(
    ("root", "setting", "user", "folder"),
    [
        # What spark-submit said counts; else Spark's own rules.
        ("hdfs://n/user/ada", "file:///s", "ada", "hdfs://n/user/ada/"),
        ("", "file:///s", "ada", "file:///s/ada/"),
        ("", "", "ada", ""),
        ("", "", "", ""),
    ],
)
def test_only_the_folder_of_one_application_is_ever_named(
    root: str, setting: str, user: str, folder: str
) -> None:
    found = staging_folder(ONE, root=root, setting=setting, user=user)
    assert found == f"{folder}.sparkStaging/application_1_0001"


def test_without_its_user_no_folder_is_named() -> None:
    assert staging_folder(ONE, root="", setting="file:///s", user="") == ""


def test_any_gateway_can_use_the_client_of_another() -> None:
    environment = {"HADOOP_CONF_DIR": "/h", "SPARK_HOME": "/s", "KERNEL_SECRET": "x"}
    client = hadoop_client("/s/bin/spark-submit", environment, "ada")
    assert client.program == "/s/bin/spark-class"
    assert "KERNEL_SECRET" not in client.environment
    assert HadoopClient.from_json(json.loads(json.dumps(client.as_json()))) == client


def client_that(folder: Path, does: str) -> HadoopClient:
    program = folder / "spark-class"
    program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{does}\n")
    program.chmod(0o755)
    return HadoopClient(str(program), {"HADOOP_CONF_DIR": "/h"}, "ada")


def test_the_client_acts_for_the_user(tmp_path: Path) -> None:
    said = tmp_path / "said"
    client = client_that(
        tmp_path,
        f"open({str(said)!r}, 'w').write(' '.join([*sys.argv[1:], os.environ['HADOOP_CONF_DIR'], "
        "os.environ['HADOOP_PROXY_USER']]))",
    )
    assert asyncio.run(remove_staging(client, "f", 30)) == ""
    assert said.read_text() == "org.apache.hadoop.fs.FsShell -rm -r -f -skipTrash f /h ada"


@pytest.mark.parametrize(
    ("does", "seconds", "words"),
    [
        (
            "print('WARN'); print('rm: Permission denied: user=g'); sys.exit(1)",
            30,
            "rm: Permission",
        ),
        ("sys.exit(3)", 30, "Hadoop's client ended with 3"),
        ("time.sleep(60)", 0.5, "Hadoop's client took more than 0.5 s"),
    ],
)
def test_a_failure_is_told_in_one_line(
    tmp_path: Path, does: str, seconds: float, words: str
) -> None:
    why = asyncio.run(remove_staging(client_that(tmp_path, does), "f", seconds))
    assert why.startswith(words)


def test_a_client_that_is_not_there(tmp_path: Path) -> None:
    client = HadoopClient(str(tmp_path / "spark-class"), {}, "")
    why = asyncio.run(remove_staging(client, "f", 30))
    assert why == f"{tmp_path}/spark-class cannot be started: No such file or directory"
