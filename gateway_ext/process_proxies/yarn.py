"""Agents in the drivers of Spark applications on YARN."""

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteKernelManager,
    RemoteMappingKernelManager,
)
from tornado import web

from gateway_ext.agent.process_identity import this_host
from gateway_ext.process_proxies.agent_bundle import AGENT_SCRIPT, agent_bundle
from gateway_ext.process_proxies.agent_process import AgentSettings, AgentStart, LaunchFailed
from gateway_ext.process_proxies.cluster_agent import ClusterAgentProxy, container_document
from gateway_ext.process_proxies.cluster_calls import ClusterRefused, ClusterSilent
from gateway_ext.process_proxies.environment import container_environment
from gateway_ext.process_proxies.kernel_command import kernel_command
from gateway_ext.process_proxies.selectors import ApplicationId, ApplicationTag
from gateway_ext.process_proxies.sighting import Sighting, alive, dead, unknown
from gateway_ext.process_proxies.spark_options import SPARK_SUBMIT_OPTIONS, spark_submit_options
from gateway_ext.process_proxies.spark_staging import (
    HadoopClient,
    hadoop_client,
    remove_staging,
    removed_by_spark,
    staging_folder,
    staging_root_in,
    staging_setting,
)
from gateway_ext.process_proxies.spark_submit import (
    EXTRA_OPTIONS,
    OptionRefused,
    Submission,
    application_id_in,
    check_extra_options,
    option_words,
    submit_command,
    submit_environment,
)
from gateway_ext.process_proxies.spark_submit_output import cause, submits_nothing
from gateway_ext.process_proxies.submit_logs import end_of, keep_log
from gateway_ext.process_proxies.submit_run import SubmitRun
from gateway_ext.process_proxies.uncut import uncut
from gateway_ext.process_proxies.yarn_application_status import (
    FINAL_STATES,
    application_sighting,
    difference,
    newest,
    unknown_application,
)
from gateway_ext.process_proxies.yarn_cluster import Application, YarnCluster

_LOGS = "submit-logs"
"""Beside the folder in which applications are submitted."""
_CLEAN = "SUCCEEDED"
"""The final status of an application that has removed its own files."""
_ENDING = frozenset({"RUNNING"})
_NOT_FINAL = frozenset({"NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING"})
_PAUSE_SECONDS = 0.2
_SUBMITTING = "spark-submit is running"
_LAUNCH_TAG = "fleet-launch-"
_ONE_USER = (
    "a kernel for one person is not available here: on this YARN all kernels run as one user, so"
    " other people's code can read them. Choose a kernel that does not run on YARN, or ask an"
    " operator for YarnCluster.impersonation"
)


class YarnAgentProxy(ClusterAgentProxy):
    """An agent as the Python program of a Spark application in YARN's cluster mode.

    The application has the kernel's id as its name, and a tag of this launch, by which it is found
    as long as its id is not known. An id is never given twice. Before an application is ended its
    name, tag and user are compared.
    What the agent must know goes as a file of the application, which YARN shows to its user alone.
    """

    # YARN ends an application without its containers if their node does not answer.
    MAY_OUTLIVE_ITS_CLUSTER = True
    OPTIONS: ClassVar[frozenset[str]] = SPARK_SUBMIT_OPTIONS

    def __init__(self, kernel_manager: RemoteKernelManager, proxy_config: dict[str, Any]) -> None:
        self.cluster: YarnCluster = kernel_manager.parent.cluster(YarnCluster)
        super().__init__(kernel_manager, proxy_config)
        self._application_id: ApplicationId | None = None
        self._tag: ApplicationTag | None = None
        # Whose the application is; empty while nobody knows.
        self._user = ""
        self._run: SubmitRun | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._submitted_until = 0.0
        self._folder = ""
        self._host = this_host()
        self._extra: list[str] = []
        self._submit_output = ""
        # Where Spark puts the application's files, and how they are reached.
        self._staging_root = self._staging_setting = ""
        # Applications whose files are gone already.
        self._clean: set[str] = set()
        self._hadoop: HadoopClient | None = None

    @classmethod
    def check(cls, kernelspec: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """See the base class."""
        kernel_command(kernelspec, config, in_spark=True)

    @classmethod
    def why_shared(cls, manager: RemoteMappingKernelManager) -> str:
        """See the base class."""
        cluster: YarnCluster = manager.cluster(YarnCluster)
        return "" if cluster.impersonation else _ONE_USER

    def plan(self, start: AgentStart, settings: AgentSettings, env: dict[str, str]) -> None:
        """See the base class."""
        try:
            self._extra = check_extra_options(
                env.get(EXTRA_OPTIONS, ""), self.cluster.client_spark_settings
            )
        except OptionRefused as refusal:
            raise web.HTTPError(403, reason=str(refusal)) from refusal
        self._extra += spark_submit_options(start.launch_options)
        self._tag = ApplicationTag(f"{_LAUNCH_TAG}{start.launch}")
        user = env["KERNEL_USERNAME"] if self.cluster.impersonation else ""
        # YARN makes another name of one with a realm.
        self._user = "" if "@" in user or "/" in user else user
        self._folder = str(settings.kernels_dir / "submit" / start.launch)
        spec_env = start.kernelspec.get("env") or {}
        environment = submit_environment(os.environ, spec_env, env)
        proxy_user = env["KERNEL_USERNAME"] if self.cluster.impersonation else None
        self._hadoop = hadoop_client(self._program(environment), environment, proxy_user)
        words = option_words(str(spec_env.get("SPARK_OPTS") or ""), environment)
        self._staging_setting = staging_setting(words)

    def _program(self, environment: Mapping[str, str]) -> str:
        if self.cluster.spark_submit:
            return self.cluster.spark_submit
        if not environment.get("SPARK_HOME"):
            raise LaunchFailed(
                "Spark's folder is not configured: set SPARK_HOME in the kernelspec's "
                "env, or YarnCluster.spark_submit"
            )
        return f"{environment['SPARK_HOME']}/bin/spark-submit"

    async def submit(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """See the base class."""
        self.note(_SUBMITTING)
        run = self._run = SubmitRun(Path(self._folder))
        loop, log = asyncio.get_running_loop(), run.log
        before, self.may_be_there = self.may_be_there, True
        try:
            async with self.cluster.programs:
                try:
                    # Also if the launch is canceled meanwhile: `end` must know the process.
                    await uncut(asyncio.to_thread(self._begin, run, start, settings, environment))
                except LaunchFailed:
                    self.may_be_there = before
                    raise
                code = await run.ended(self.cluster.submit_seconds)
            output = await loop.run_in_executor(None, lambda: end_of(log))
            submitted = application_id_in(output)
            self._application_id = ApplicationId(submitted) if submitted else None
            self._staging_root = staging_root_in(output)
            self._clean = removed_by_spark(output)
            if code is None:
                # It may be waiting for YARN's answer.
                self._unanswered = True
                await asyncio.to_thread(run.end)
                raise await self._refused(
                    f"spark-submit took more than {self.cluster.submit_seconds:g} s", output, log
                )
            if code > 0 and submits_nothing(output):
                self.may_be_there = before
            if code != 0:
                raise await self._refused(f"spark-submit ended with {code}", output, log)
            if not self._application_id:
                found = newest(await self._applications())
                if found is None:
                    self._unanswered = True
                    raise await self._refused("spark-submit submitted no application", output, log)
                self._application_id = ApplicationId(str(found["id"]))
            else:
                with contextlib.suppress(ClusterRefused, ClusterSilent):
                    await self._applications()
        finally:
            leaving = run.leave(self.cluster.submit_seconds)
            if run.runs:
                # The launch is canceled. If another gateway has it, it waits for the application,
                # and spark-submit is still reading its files.
                self._leaving = asyncio.ensure_future(leaving)
            else:
                await leaving

    async def _refused(self, words: str, output: str, log: Path) -> LaunchFailed:
        """The error of a spark-submit that failed, in one line. What it printed is kept apart."""
        why = cause(output)
        self._submit_output = f"{words}: {why}" if why else words
        folder = Path(self._folder).parent.with_name(_LOGS)
        kept = await asyncio.to_thread(keep_log, folder, self.kernel_id, log)
        self.log.warning(
            "kernel %s: %s. What spark-submit printed: %s",
            self.kernel_id,
            self._submit_output,
            kept or "could not be kept",
        )
        return LaunchFailed(self._submit_output)

    def _begin(
        self,
        run: SubmitRun,
        start: AgentStart,
        settings: AgentSettings,
        asked: Mapping[str, str],
    ) -> None:
        spec_env = start.kernelspec.get("env") or {}
        environment = submit_environment(os.environ, spec_env, asked)
        program = self._program(environment)
        # What the kernelspec's env says is for spark-submit; in the container Spark's own counts.
        within = container_environment(
            os.environ, {**asked, **start.chosen_environment}, inherited=settings.inherited
        )
        kernelspec = {name: value for name, value in start.kernelspec.items() if name != "env"}
        document = container_document(
            dataclasses.replace(start, kernelspec=kernelspec),
            settings,
            kernel_command(start.kernelspec, self.proxy_config, in_spark=True),
            within,
            # YARN removes it, also if the agent is killed.
            parent="",
            place="container",
            # NodeManagers kill the group, and know of no other process.
            keep_process_group=True,
        )
        try:
            run.write(
                {
                    "start.json": json.dumps(document).encode(),
                    "agent.zip": agent_bundle(),
                    "agent.py": AGENT_SCRIPT,
                }
            )
            command = submit_command(
                program,
                str(spec_env.get("SPARK_OPTS") or ""),
                self._extra,
                environment,
                Submission(
                    name=start.kernel_id,
                    tags=(f"fleet-kernel-{start.kernel_id}", str(self._tag)),
                    script=str(run.folder / "agent.py"),
                    document=str(run.folder / "start.json"),
                    bundle=str(run.folder / "agent.zip"),
                    proxy_user=asked["KERNEL_USERNAME"] if self.cluster.impersonation else None,
                ),
            )
            self.pid = run.begin(command, environment)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise LaunchFailed(f"{program} cannot be started: {error}") from error

    def _remove_folder(self) -> None:
        # Only the folder of this very launch, whatever a record says.
        if self._tag and f"{_LAUNCH_TAG}{Path(self._folder).name}" == self._tag.value:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _applications(self) -> list[Application]:
        """The applications of this launch; one by its id if that is known. What is found and is not
        of this launch is left alone."""
        if self._tag is None:
            return []
        if self._application_id is None:
            found = await self.cluster.tagged(self._tag)
        else:
            known = await self.cluster.application(self._application_id)
            found = [] if known is None else [known]
        ours = []
        for one in found:
            unlike = difference(one, name=self.kernel_id, tag=self._tag.value, user=self._user)
            if unlike:
                self.log.warning(
                    "kernel %s: YARN application %s is left alone: %s",
                    self.kernel_id,
                    one.get("id"),
                    unlike,
                )
            else:
                self._user = str(one["user"])
                ours.append(one)
        return ours

    def go_on(self) -> None:
        """See the base class: spark-submit does not end with its gateway."""
        self._submitted_until = time.monotonic() + self.cluster.submit_seconds

    async def see(self) -> Sighting:
        """See the base class."""
        found = newest(await self._applications())
        if found is not None:
            self._application_id = ApplicationId(str(found["id"]))
            return application_sighting(found)
        if self._application_id is not None:
            if await self.cluster.application(self._application_id) is not None:
                return unknown(f"YARN application {self._application_id} is not this kernel's")
            information = await self.cluster.information()
            return unknown_application(self._application_id.value, information)
        if self._run is not None and self._run.runs:
            return alive(_SUBMITTING, phase="queued")
        if time.monotonic() < self._submitted_until:
            return alive("spark-submit may be running beside another gateway", phase="queued")
        return dead("no application of this kernel was ever submitted to YARN")

    async def remove(self, *, as_seen: bool) -> bool:
        """See the base class. An application has no version to be compared."""
        loop = asyncio.get_running_loop()
        if self._run is not None:
            await asyncio.to_thread(self._run.end)
        if self._host == this_host() and self._folder:
            await loop.run_in_executor(None, self._remove_folder)
        for application in await self._applications():
            if application.get("state") not in FINAL_STATES:
                await self.cluster.kill(
                    ApplicationId(str(application["id"])), str(application["user"])
                )
        ended = await self._ended(self.cluster.end_seconds)
        if ended is None:
            return False
        left = {str(one["id"]) for one in ended if one.get("finalStatus") != _CLEAN}
        if not ended and await self._is_unknown():
            # It never came that far, or was forgotten.
            left.add(str(self._application_id))
        for application_id in sorted(left - self._clean):
            await self._remove_staging(ApplicationId(application_id))
        return True

    async def clean_up(self) -> bool:
        """See the base class. A driver whose kernel has ended gets the time to end by itself: it
        then removes its files."""
        with contextlib.suppress(ClusterRefused, ClusterSilent):
            await self._ended(self.cluster.end_seconds, while_in=_ENDING)
        return await super().clean_up()

    async def _ended(
        self, seconds: float, while_in: frozenset[str] = _NOT_FINAL
    ) -> list[Application] | None:
        """The applications of this launch when none is in one of these states any more; None if
        one still is after `seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            found = await self._applications()
            if not any(one.get("state") in while_in for one in found):
                return found
            if loop.time() > deadline:
                return None
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _is_unknown(self) -> bool:
        """Whether the application has an id, and YARN knows none of that id."""
        if self._application_id is None:
            return False
        return await self.cluster.application(self._application_id) is None

    async def _remove_staging(self, application_id: ApplicationId) -> None:
        folder = staging_folder(
            application_id, root=self._staging_root, setting=self._staging_setting, user=self._user
        )
        if self._hadoop is None or not folder:
            # It was recorded by an earlier gateway, or nobody knows whose it was.
            return
        async with self.cluster.programs:
            why = await remove_staging(self._hadoop, folder, self.cluster.submit_seconds)
        if why:
            self.log.warning("kernel %s: %s is left: %s", self.kernel_id, folder, why)

    async def output(self) -> str:
        """See the base class. What a container writes is in YARN's own logs."""
        return self._submit_output if not self._application_id else ""

    def get_process_info(self) -> dict[str, Any]:
        """What another gateway needs to find, look at and end it."""
        return {
            **super().get_process_info(),
            "application_id": str(self._application_id or ""),
            "tag": str(self._tag or ""),
            "user": self._user,
            "host": self._host,
            "folder": self._folder,
            "staging_root": self._staging_root,
            "staging_setting": self._staging_setting,
            "hadoop": self._hadoop.as_json() if self._hadoop is not None else None,
        }

    def load_process_info(self, process_info: dict[str, Any]) -> None:
        """The opposite of `get_process_info`."""
        super().load_process_info(process_info)
        submitted = process_info["application_id"]
        self._application_id = ApplicationId(submitted) if submitted else None
        self._tag = ApplicationTag(process_info["tag"])
        # Earlier gateways did not write it down.
        self._user = process_info.get("user", "")
        self._host = process_info["host"]
        self._folder = process_info["folder"]
        self._staging_root = process_info.get("staging_root", "")
        self._staging_setting = process_info.get("staging_setting", "")
        hadoop = process_info.get("hadoop")
        self._hadoop = HadoopClient.from_json(hadoop) if hadoop else None
