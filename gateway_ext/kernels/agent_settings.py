"""What a gateway's configuration says of the agents that it starts."""

import logging
from pathlib import Path
from typing import Any

from gateway_ext.process_proxies.agent_process import AgentSettings
from gateway_ext.process_proxies.fork_servers import ForkServers
from gateway_ext.process_proxies.kernel_walls import KernelWalls
from gateway_ext.process_proxies.memory_cgroups import MemoryCgroups
from gateway_ext.process_proxies.network_choice import NetworkChoice
from jupyter_ext.wire.private_folders import private_folders


def agent_settings(app: Any, log: logging.Logger) -> AgentSettings:
    """The settings of agents by those of `app`, the gateway's application."""
    return AgentSettings(
        kernels_dir=Path(app.kernels_dir),
        agent_command=list(app.agent_command),
        journal_memory_bytes=app.journal_memory_bytes,
        journal_disk_bytes=app.journal_disk_bytes,
        journal_comm_bytes=app.journal_comm_bytes,
        ping_seconds=app.ping_seconds,
        ping_timeout=app.ping_timeout,
        orphan_seconds=app.orphan_seconds,
        inherited=list(app.inherited_envs),
        fork_servers=ForkServers(app.fork_servers, app.fork_server_seconds),
        memory=MemoryCgroups(app.kernel_memory, app.memory_cgroup, log),
        walls=KernelWalls(
            app.kernel_walls,
            Path(app.kernels_dir),
            list(app.hidden_folders),
            list(app.shown_folders),
            NetworkChoice(app.kernel_network, app.kernel_network_allowed, app.tun_device, log),
            log,
            # Kernels of the only user, if the operator names one, may read the home.
            [] if app.one_user and app.only_user else private_folders(),
        ),
    )
