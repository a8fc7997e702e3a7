"""Agents in the drivers of Spark applications on YARN."""

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteKernelManager,
)
from tornado import web

from gateway_ext.agent.process_identity import this_host
from gateway_ext.process_proxies.agent_bundle import AGENT_SCRIPT, agent_bundle
from gateway_ext.process_proxies.agent_process import AgentSettings, AgentStart, LaunchFailed
from gateway_ext.process_proxies.cluster_agent import ClusterAgentProxy, container_document
from gateway_ext.process_proxies.cluster_calls import ClusterRefused, ClusterSilent
from gateway_ext.process_proxies.environment import container_environment
from gateway_ext.process_proxies.kernel_command import kernel_command
from gateway_ext.process_proxies.process_session import kill_session
from gateway_ext.process_proxies.selectors import ApplicationId, ApplicationTag
from gateway_ext.process_proxies.sighting import Sighting, alive, dead, unknown
from gateway_ext.process_proxies.spark_options import SPARK_SUBMIT_OPTIONS, spark_submit_options
from gateway_ext.process_proxies.spark_submit import (
    EXTRA_OPTIONS,
    OptionRefused,
    Submission,
    application_id_in,
    check_extra_options,
    submit_command,
    submit_environment,
)
from gateway_ext.process_proxies.yarn_application_status import (
    FINAL_STATES,
    application_sighting,
    difference,
    newest,
    unknown_application,
)
from gateway_ext.process_proxies.yarn_cluster import Application, YarnCluster

_OUTPUT_BYTES = 4000
_PAUSE_SECONDS = 0.2
_LAUNCH_TAG = "fleet-launch-"


class YarnAgentProxy(ClusterAgentProxy):
    """An agent as the Python program of a Spark application in YARN's cluster mode.

    The application has the kernel's id as its name, and a tag of this launch, by which it is found
    as long as its id is not known. An id is never given twice. Before an application is ended its
    name, tag and user are compared.
    What the agent must know goes as a file of the application, which YARN shows to its user alone.
    """

    OPTIONS: ClassVar[frozenset[str]] = SPARK_SUBMIT_OPTIONS

    def __init__(self, kernel_manager: RemoteKernelManager, proxy_config: dict[str, Any]) -> None:
        self.cluster: YarnCluster = kernel_manager.parent.cluster(YarnCluster)
        super().__init__(kernel_manager, proxy_config)
        self._application_id: ApplicationId | None = None
        self._tag: ApplicationTag | None = None
        # Whose the application is; empty while nobody knows.
        self._user = ""
        self._submitter: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self._host = this_host()
        self._extra: list[str] = []
        self._submit_output = ""

    @classmethod
    def check(cls, kernelspec: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        """See the base class."""
        kernel_command(kernelspec, config, in_spark=True)

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

    async def submit(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """See the base class."""
        loop = asyncio.get_running_loop()
        log = Path(self._folder) / "spark-submit.log"
        try:
            submitter = await loop.run_in_executor(
                None, lambda: self._begin(start, settings, environment, log)
            )
            deadline = loop.time() + self.cluster.submit_seconds
            while True:
                code = submitter.poll()
                if code is not None or loop.time() > deadline:
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            output = await loop.run_in_executor(None, lambda: _end_of(log))
            submitted = application_id_in(output)
            self._application_id = ApplicationId(submitted) if submitted else None
            self._submit_output = output[-_OUTPUT_BYTES:].strip()
            if code is None:
                await loop.run_in_executor(None, self._end_submitter)
                raise LaunchFailed(
                    f"spark-submit took more than {self.cluster.submit_seconds:g} s. "
                    f"{self._submit_output}".strip()
                )
            if code != 0:
                raise LaunchFailed(self._submit_output or f"spark-submit ended with {code}")
            if not self._application_id:
                found = newest(await self._applications())
                if found is None:
                    raise LaunchFailed(
                        f"spark-submit submitted no application. {self._submit_output}".strip()
                    )
                self._application_id = ApplicationId(str(found["id"]))
            else:
                with contextlib.suppress(ClusterRefused, ClusterSilent):
                    await self._applications()
        finally:
            await loop.run_in_executor(None, self._remove_folder)

    def _begin(
        self,
        start: AgentStart,
        settings: AgentSettings,
        asked: Mapping[str, str],
        log: Path,
    ) -> "subprocess.Popen[bytes]":
        spec_env = start.kernelspec.get("env") or {}
        environment = submit_environment(os.environ, spec_env, asked)
        program = self.cluster.spark_submit
        if not program:
            if not environment.get("SPARK_HOME"):
                raise LaunchFailed(
                    "Spark's folder is not configured: set SPARK_HOME in the kernelspec's "
                    "env, or YarnCluster.spark_submit"
                )
            program = f"{environment['SPARK_HOME']}/bin/spark-submit"
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
        )
        folder = Path(self._folder)
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
            files = {
                "start.json": json.dumps(document).encode(),
                "agent.zip": agent_bundle(),
                "agent.py": AGENT_SCRIPT,
            }
            for name, content in files.items():
                (folder / name).touch(mode=0o600)
                (folder / name).write_bytes(content)
            command = submit_command(
                program,
                str(spec_env.get("SPARK_OPTS") or ""),
                self._extra,
                environment,
                Submission(
                    name=start.kernel_id,
                    tags=(f"fleet-kernel-{start.kernel_id}", str(self._tag)),
                    script=str(folder / "agent.py"),
                    document=str(folder / "start.json"),
                    bundle=str(folder / "agent.zip"),
                    proxy_user=asked["KERNEL_USERNAME"] if self.cluster.impersonation else None,
                ),
            )
            with log.open("wb") as output:
                self._submitter = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    cwd=folder,
                    start_new_session=True,
                )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise LaunchFailed(f"{program} cannot be started: {error}") from error
        self.pid = self._submitter.pid
        return self._submitter

    def _end_submitter(self) -> None:
        if self._submitter is not None and self._submitter.poll() is None:
            kill_session(self._submitter.pid, os.geteuid())
            self._submitter.wait()

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
        if self._submitter is not None and self._submitter.poll() is None:
            return alive("spark-submit is running")
        return dead("no application of this kernel was ever submitted to YARN")

    async def remove(self, *, as_seen: bool) -> bool:
        """See the base class. An application has no version to be compared."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._end_submitter)
        if self._host == this_host() and self._folder:
            await loop.run_in_executor(None, self._remove_folder)
        for application in await self._applications():
            if application.get("state") not in FINAL_STATES:
                await self.cluster.kill(
                    ApplicationId(str(application["id"])), str(application["user"])
                )
        return True

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


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16 * _OUTPUT_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
