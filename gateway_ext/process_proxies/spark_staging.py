"""The files of a Spark application on YARN that Spark leaves when the application fails.

They are in `.sparkStaging/ID`, in the user's home in Hadoop's file system or in a folder of the
user in `spark.yarn.stagingDir`, and one of them is an agent's start document. Only Hadoop's own
client reads every file system that these may be in, so this runs the one that comes with Spark.
"""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway_ext.process_proxies.process_session import kill_session
from gateway_ext.process_proxies.selectors import ApplicationId

_SETTING = "spark.yarn.stagingDir="
_WHERE = (
    *("JAVA_HOME", "SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR"),
    *("HADOOP_USER_NAME", "KRB5_CONFIG", "KRB5CCNAME"),
)


@dataclass(frozen=True)
class HadoopClient:
    """How Hadoop's file system is reached: `program` is Spark's spark-class, `environment` names
    Java and the configuration, `user` is whom the gateway acts for, empty for itself."""

    program: str
    environment: Mapping[str, str]
    user: str

    def as_json(self) -> dict[str, object]:
        """For the record of a kernel, so that any gateway can use it."""
        return {
            "program": self.program,
            "environment": dict(self.environment),
            "user": self.user,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "HadoopClient":
        """The opposite of `as_json`. Raises KeyError."""
        return cls(value["program"], dict(value["environment"]), value["user"])


def hadoop_client(
    spark_submit: str, environment: Mapping[str, str], user: str | None
) -> HadoopClient:
    """The client beside a spark-submit that runs with this environment."""
    known = {name: environment[name] for name in _WHERE if name in environment}
    return HadoopClient(str(Path(spark_submit).with_name("spark-class")), known, user or "")


def staging_setting(command: Sequence[str]) -> str:
    """`spark.yarn.stagingDir` in the options of a spark-submit; empty if it is not there."""
    setting = ""
    for option, value in pairwise(command):
        if option in ("--conf", "-c") and value.startswith(_SETTING):
            setting = value
        elif option.startswith(f"--conf={_SETTING}"):
            setting = option.removeprefix("--conf=")
    return setting.removeprefix(_SETTING).rstrip("/")


def staging_root_in(output: str) -> str:
    """Where a spark-submit says that it has put `.sparkStaging`; empty if it does not say."""
    found = re.findall(r"-> (\S+)/\.sparkStaging/application_\d+_\d+/", output)
    return found[-1] if found else ""


def removed_by_spark(output: str) -> set[str]:
    """The ids of applications whose files a spark-submit that failed has removed itself."""
    return set(re.findall(r"Deleted staging directory \S+/(application_\d+_\d+)\b", output))


def staging_folder(application_id: ApplicationId, *, root: str, setting: str, user: str) -> str:
    """The folder of one application. `root` is what spark-submit said, `setting` and `user` are
    for when it said nothing; empty if they do not tell. A relative path begins at the user's home.
    """
    folder = f".sparkStaging/{application_id}"
    if root:
        return f"{root}/{folder}"
    if setting:
        return f"{setting}/{user}/{folder}" if user else ""
    return folder


async def remove_staging(client: HadoopClient, folder: str, seconds: float) -> str:
    """Removes the folder if it is there; returns why it is left, in one line, else nothing."""
    environment = {**_own_environment(), **client.environment}
    if client.user:
        environment["HADOOP_PROXY_USER"] = client.user
    try:
        process = await asyncio.create_subprocess_exec(
            client.program,
            "org.apache.hadoop.fs.FsShell",
            *("-rm", "-r", "-f", "-skipTrash", folder),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"{client.program} cannot be started: {error.strerror}"
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        return f"Hadoop's client took more than {seconds:g} s"
    finally:
        if process.returncode is None:
            await asyncio.to_thread(kill_session, process.pid, os.geteuid())
            await process.wait()
    if process.returncode == 0:
        return ""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else f"Hadoop's client ended with {process.returncode}"


def _own_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ}
