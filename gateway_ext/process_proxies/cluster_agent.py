"""The base of process proxies for clusters."""

import abc
import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from enterprise_gateway.services.kernels.remotemanager import (  # type: ignore[import-untyped]
    RemoteKernelManager,
)

from gateway_ext.process_proxies.agent_process import (
    AgentLife,
    AgentProcessProxy,
    AgentSettings,
    AgentStart,
    LaunchFailed,
    start_document,
)
from gateway_ext.process_proxies.cluster_calls import (
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
    NoCluster,
)
from gateway_ext.process_proxies.sighting import Patience, Sighting, unknown

T = TypeVar("T")

_LATE_SECONDS = 3
"""After how long without an answer a launch says so, and how often it says it anew."""

_DIRECTORY = "jupyter-fleet-{launch}"
"""Where an agent in a container keeps what it needs while it runs."""


class ClusterAgentProxy(AgentProcessProxy):
    """An agent in a cluster, found again by a name that was chosen before its launch.

    Pure functions, which are tested with tables, turn the cluster's response into a Sighting; an
    agent is never treated as dead because the cluster does not respond. Tested against scripted
    Kubernetes and YARN servers, and real ones (tests/clusters).
    """

    FOUND_BY_NAME = True

    def __init__(self, kernel_manager: RemoteKernelManager, proxy_config: dict[str, Any]) -> None:
        super().__init__(kernel_manager, proxy_config)
        # Enterprise Gateway's records have one, but here agents connect to the gateway.
        self.ip = ""
        self._seen = unknown("")
        self._patience = Patience(self.patience_seconds)
        self._obstacle = ""
        self._denied = False
        # Something in the cluster may be this launch's. It stays false while the cluster refuses
        # to make anything.
        self.may_be_there = False
        # A call was not answered: what it asks for may still be made.
        self._unanswered = False
        # Since when the cluster owes an answer to a call that makes something.
        self._owed_since: float | None = None

    @property
    def patience_seconds(self) -> float:
        """How long to wait for an agent that cannot start at the moment."""
        return 0.0

    @abc.abstractmethod
    async def submit(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """Asks the cluster to run the agent. Raises LaunchFailed, ClusterRefused, ClusterSilent;
        what is left then is removed by `end`."""

    @abc.abstractmethod
    async def see(self) -> Sighting:
        """One look at the cluster; raises ClusterRefused and ClusterSilent."""

    @abc.abstractmethod
    async def remove(self, *, as_seen: bool) -> bool:
        """`end`; raises ClusterRefused and ClusterSilent."""

    @abc.abstractmethod
    async def output(self) -> str:
        """The end of what the agent wrote; empty if it cannot be read."""

    async def start_agent(
        self, start: AgentStart, settings: AgentSettings, environment: Mapping[str, str]
    ) -> None:
        """See the base class. What a failed launch leaves behind is for `end`."""
        try:
            await self.submit(start, settings, environment)
        except NoCluster as error:
            raise LaunchFailed(f"the kernel cannot start: {error}") from error
        except ClusterRefused as refusal:
            raise LaunchFailed(f"the cluster does not start the kernel: {refusal}") from refusal
        except asyncio.CancelledError:
            self._unanswered = self.may_be_there
            raise
        except ClusterSilent as error:
            self._unanswered = self.may_be_there
            raise LaunchFailed(
                f"the cluster cannot be asked to start kernels: {error.words}"
            ) from error

    async def making(self, call: Awaitable[T]) -> T:
        """The result of a call that has the cluster make something of this launch; raises what it
        raises. Whatever is not definitely refused may be there, or may be made later still: an
        answer to another attempt says nothing about a call that was not answered."""
        before, self.may_be_there = self.may_be_there, True
        self._owed_since = time.monotonic()
        try:
            return await call
        except ClusterRefused as refusal:
            if refusal.reason != "AlreadyExists":
                self.may_be_there = before
            raise
        except ClusterSilent as error:
            if error.unmade:
                self.may_be_there = before
            else:
                self._unanswered = True
            if error.words != self._seen.words:
                self.log.warning("kernel %s: not started yet: %s", self.kernel_id, error)
            raise
        finally:
            self._owed_since = None

    @property
    def who_answers(self) -> str:
        """Who is asked to make something, in words for people."""
        return "the cluster"

    @property
    def made_nothing(self) -> bool:
        """See the base class."""
        return not self.may_be_there

    def note(self, words: str) -> None:
        """What there is to say of a launch before there is anything to look at."""
        self._seen = unknown(words)

    async def look(self) -> AgentLife:
        """See the base class."""
        no_cluster = ""
        try:
            self._seen = await self.see()
            self._denied = False
        except (ClusterRefused, ClusterSilent) as error:
            self.log.warning("kernel %s: its state is not known: %s", self.kernel_id, error)
            self._denied = isinstance(error, CredentialsRefused | ClusterRefused)
            self._seen = unknown(error.words if isinstance(error, ClusterSilent) else str(error))
            no_cluster = str(error) if isinstance(error, NoCluster) else ""
        now = time.monotonic()
        self._patience = self._patience.after(self._seen, now)
        over = self._patience.is_over(self._seen, now)
        self._obstacle = no_cluster or (self._seen.words if over else "")
        return self._seen.life

    @property
    def progress(self) -> tuple[str, str, int | None]:
        """See the base class."""
        words = self._seen.words
        if not words and self._owed_since is not None:
            owed = int(time.monotonic() - self._owed_since) // _LATE_SECONDS * _LATE_SECONDS
            words = f"{self.who_answers} has not answered for {owed} s" if owed else ""
        return self._seen.phase, words, self._seen.position

    @property
    def denied(self) -> bool:
        """See the base class."""
        return self._denied

    @property
    def obstacle(self) -> str:
        """See the base class."""
        return self._obstacle

    @property
    def ending(self) -> str:
        """See the base class."""
        return self._seen.ending

    async def end(self, *, as_seen: bool = False) -> bool:
        """See the base class. The cluster is not touched for a launch of which it never made
        anything: it may refuse to show what there is, too. Where a call was not answered nothing is
        certain: who looks again later finds what was made after all."""
        if not self.may_be_there:
            return True
        try:
            return await self.remove(as_seen=as_seen) and not self._unanswered
        except (ClusterRefused, ClusterSilent) as error:
            self.log.warning("kernel %s: not removed yet: %s", self.kernel_id, error)
            return False

    async def clean_up(self) -> bool:
        """See the base class."""
        return await self.end()

    def load_process_info(self, process_info: dict[str, Any]) -> None:
        """The inverse of `get_process_info`. Raises KeyError or ValueError for a record that
        identifies nothing."""
        super().load_process_info(process_info)
        # Whoever wrote it down may have asked the cluster right after.
        self.may_be_there = True

    async def last_words(self) -> str:
        """See the base class: what the cluster says, then what the agent wrote."""
        return "\n".join(text for text in (self._seen.words, await self.output()) if text)


def container_document(
    start: AgentStart,
    settings: AgentSettings,
    argv: list[str],
    environment: Mapping[str, str],
    *,
    parent: str,
    place: str,
    keep_process_group: bool = False,
) -> dict[str, Any]:
    """The document of an agent in a container: it creates its environment and its folder itself,
    below `parent` (if empty, where it is started). Packages that users install for the kernel are
    there too; `place` tells users with what they are deleted. `keep_process_group` is for
    containers that end with the process group in which the agent is started.

    Variables of the kernelspec's `env` that the client also sets are left out, so that the client's
    values are used.
    """
    kernelspec = {name: start.kernelspec[name] for name in _NEEDED if name in start.kernelspec}
    kernelspec["argv"] = argv
    kernelspec["env"] = {
        name: value
        for name, value in (start.kernelspec.get("env") or {}).items()
        if name not in environment
    }
    document = start_document(
        start,
        settings,
        parent + _DIRECTORY.format(launch=start.launch),
        kernelspec=kernelspec,
        environment=dict(environment),
        packages={"end_with": place},
        **settings.walls.in_container(),
    )
    if environment.get("KERNEL_WORKING_DIR"):
        document["cwd"] = environment["KERNEL_WORKING_DIR"]
    if keep_process_group:
        document["keep_process_group"] = True
    return document


_NEEDED = ("display_name", "language", "interrupt_mode", "metadata")
