"""The command line and the environment of spark-submit, from a kernelspec for YARN."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway_ext.process_proxies.agent_process import LaunchFailed

EXTRA_OPTIONS = "KERNEL_EXTRA_SPARK_OPTS"
_PLAIN_OPTIONS = frozenset(
    {
        "--driver-cores",
        "--driver-memory",
        "--executor-cores",
        "--executor-memory",
        "--num-executors",
        "--queue",
    }
)
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")
_NEEDED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "JAVA_HOME", "TMPDIR")
_NEEDED_PREFIXES = ("HADOOP_", "YARN_", "HDFS_", "SPARK_", "PYSPARK_", "KRB5", "LC_")


class OptionRefused(Exception):
    """A client asks for what it may not choose; the text says what it may."""


@dataclass(frozen=True)
class Submission:
    """What spark-submit gets for one kernel: files of this machine, and names."""

    name: str
    tags: tuple[str, ...]
    script: str
    document: str
    bundle: str
    proxy_user: str | None


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with `$NAME`, `${NAME}` and `${NAME:-default}` filled in, as a shell would: what is
    not set is empty."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1) or found.group(3)
        return values.get(name) or found.group(2) or ""

    return _VARIABLE.sub(value, text)


def submit_environment(
    gateway: Mapping[str, str], kernelspec: Mapping[str, str], asked: Mapping[str, str]
) -> dict[str, str]:
    """What spark-submit sees: of the gateway's environment what Hadoop and Spark are found by, the
    kernelspec's `env` filled in, and what was asked for with the kernel."""
    environment = {
        name: value
        for name, value in gateway.items()
        if name in _NEEDED or name.startswith(_NEEDED_PREFIXES)
    }
    known = {**environment, **asked}
    for name, text in kernelspec.items():
        if name != "SPARK_OPTS":
            environment[name] = fill_in(str(text), known)
    return {**environment, **{n: v for n, v in asked.items() if n.startswith("KERNEL_")}}


def check_extra_options(options: str, allowed: Iterable[str]) -> list[str]:
    """The options that a client asks for, if it may: sizes, the queue, and `--conf` for settings
    whose names begin with one of `allowed`. Anything else could read files of the gateway's
    machine or borrow its identity. Raises OptionRefused."""
    prefixes = tuple(allowed)
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise OptionRefused(f"{EXTRA_OPTIONS} cannot be read: {error}") from error
    checked: list[str] = []
    while words:
        option, _, value = words.pop(0).partition("=")
        if not value:
            if not words:
                raise OptionRefused(f"{EXTRA_OPTIONS}: {option} has no value")
            value = words.pop(0)
        setting, equals, _ = value.partition("=")
        if option in ("--conf", "-c") and equals and setting.startswith(prefixes):
            checked += ["--conf", value]
        elif option in _PLAIN_OPTIONS and not value.startswith("-"):
            checked += [option, value]
        else:
            asked = f"{option} {setting}" if option in ("--conf", "-c") else option
            raise OptionRefused(
                f"{EXTRA_OPTIONS}: {asked} may not be chosen here: only "
                f"{' '.join(sorted(_PLAIN_OPTIONS))} and --conf of {' '.join(prefixes)}"
            )
    return checked


def option_words(spark_options: str, environment: Mapping[str, str]) -> list[str]:
    """The words of the kernelspec's SPARK_OPTS, filled in, without what a client adds. Raises
    LaunchFailed."""
    try:
        words = shlex.split(spark_options)
    except ValueError as error:
        raise LaunchFailed(f"SPARK_OPTS in the kernelspec cannot be read: {error}") from error
    # What a client adds has its place behind the kernelspec's: the last one counts.
    added = (f"${{{EXTRA_OPTIONS}}}", f"${EXTRA_OPTIONS}")
    return [fill_in(word, environment) for word in words if word not in added]


def submit_command(
    program: str,
    spark_options: str,
    extra: list[str],
    environment: Mapping[str, str],
    submission: Submission,
) -> list[str]:
    """The command. `spark_options` is the kernelspec's SPARK_OPTS; `extra` are options that were
    checked. No shell reads it, and no variable's value becomes more than one word. What finds the
    application again comes last and counts. Raises LaunchFailed."""
    files = {"--files": [submission.document], "--py-files": [submission.bundle]}
    words = option_words(spark_options, environment)
    options: list[str] = []
    while words:
        word = words.pop(0)
        if word in files and words:
            files[word].append(words.pop(0))
        elif word:
            options.append(word)
    command = [program, "--master", "yarn", *options, *extra]
    command += ["--deploy-mode", "cluster", "--name", submission.name]
    for setting, value in {
        "spark.yarn.tags": ",".join(submission.tags),
        "spark.yarn.submit.waitAppCompletion": "false",
        # What is in the home of the user must not run in the agent.
        "spark.yarn.appMasterEnv.PYTHONNOUSERSITE": "1",
        # A second attempt would be another kernel.
        "spark.yarn.maxAppAttempts": "1",
        # One of these files has the agent's key.
        "spark.yarn.preserve.staging.files": "false",
    }.items():
        command += ["--conf", f"{setting}={value}"]
    for option, values in files.items():
        command += [option, ",".join(values)]
    if submission.proxy_user is not None:
        command += ["--proxy-user", submission.proxy_user]
    return [*command, submission.script, "--document", submission.document.rpartition("/")[2]]


def application_id_in(output: str) -> str:
    """The application that spark-submit says it has submitted; empty if it says nothing."""
    found = re.findall(r"\bapplication_[0-9]+_[0-9]+\b", output)
    return found[-1] if found else ""
