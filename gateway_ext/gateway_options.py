"""The options of a gateway, `c.FleetGatewayApp.…` in its configuration."""

import socket
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir
from traitlets import (
    Bool,
    Enum,
    Float,
    HasTraits,
    Integer,
    List,
    TraitError,
    Unicode,
    default,
    validate,
)

from gateway_ext.kernels.calls.call_table import CALLS
from gateway_ext.kernels.processors import processors
from gateway_ext.ownership.project_uids import FIRST_UID
from jupyter_ext.wire.allowed_addresses import check_allowed
from jupyter_ext.wire.journal_parts import MOST_PART_BYTES
from jupyter_ext.wire.kernel_walls import NETWORKS, WALLS


class GatewayOptions(HasTraits):
    """What `FleetGatewayApp` has beside the options of Enterprise Gateway."""

    port: int

    database_url = Unicode(
        help="Where kernel records are kept: sqlite:////absolute/path or "
        "mysql://user:password@host:port/database. All gateways of a fleet share it."
    ).tag(config=True)
    gateway_url = Unicode(
        help="How labs, agents and the other gateways reach this one, for example "
        "http://gateway-1:8888. The default is http://127.0.0.1:PORT."
    ).tag(config=True)
    more_ips = List(
        Unicode(),
        help="Addresses or names of this machine on which the gateway listens in addition to `ip`, "
        "on the same port: for example the one by which clusters reach it.",
    ).tag(config=True)
    gateway_name = Unicode(
        help="The name of this gateway, different from that of every other. The default is "
        "HOST-PORT; use the same name again when you restart a gateway."
    ).tag(config=True)
    token_keys_file = Unicode(
        help="The platform's public keys, a JWKS file. Read again when it changes."
    ).tag(config=True)
    encryption_keys_file = Unicode(
        help="The keys that encrypt secrets in the database. All gateways share them."
    ).tag(config=True)
    lab_urls = List(
        Unicode(),
        help="Base URLs of labs, which keep what kernels say in the store: it outlives the "
        "kernel's container. One that answers is enough. Without them, or without "
        "service_token_file, it is kept beside the kernel only.",
    ).tag(config=True)
    kernel_lab_urls = List(
        Unicode(),
        help="Base URLs under which kernels' agents reach labs themselves: of the front's listener "
        "for kernels. Without them, or where none answers, agents call labs through their gateway, "
        "which uses lab_urls.",
    ).tag(config=True)
    max_pipes = Integer(
        64,
        min=1,
        help="How many calls of agents to labs go through this gateway at once; four of one kernel "
        "at most. Each takes about 0.3 MB.",
    ).tag(config=True)
    max_pipe_bytes = Integer(
        MOST_PART_BYTES,
        min=1,
        help="The longest body of such a call, in bytes: agents send nothing that is longer than a "
        "part of a journal, and labs have each in memory.",
    ).tag(config=True)
    service_token_file = Unicode(
        help="A file with this gateway's own token, with which it calls labs. Read at each call."
    ).tag(config=True)
    kernels_dir = Unicode(
        help="The folder of local kernels: a home for each project, a folder for each kernel, "
        "logs. Keep the path short. If root runs the gateway, other users must be able "
        "to reach it."
    ).tag(config=True)
    agent_command = List(
        Unicode(),
        help="The command that starts an agent. If empty: the program of the kernelspec's argv "
        "with '-m gateway_ext.agent', which fits kernelspecs for Python.",
    ).tag(config=True)
    fork_servers = Integer(
        4,
        min=0,
        help="How many fork servers are kept (about 80 MB each), for the projects that used "
        "theirs most recently; 0 for none. Agents of local kernels are forked from such a "
        "process, one for each project and environment, whose imports are done: kernels then "
        "start in a fraction of the time.",
    ).tag(config=True)
    fork_server_seconds = Float(
        600.0, help="After how many seconds without a new kernel a fork server ends."
    ).tag(config=True)
    kernel_memory = Integer(
        0,
        min=0,
        help="How much memory a kernel on this machine may use together with what it starts, "
        "in bytes; 0 for no limit. A kernel that uses more is ended with the reason, and "
        "restarted. A memory cgroup enforces this if the gateway can create one, "
        "otherwise the kernel's agent.",
    ).tag(config=True)
    kernel_walls = Enum(
        WALLS,
        "auto",
        help="Whether each kernel of this machine gets namespaces of its own, in which it sees no "
        "process, shared memory, temporary file or folder of any other kernel, and has fewer "
        "system calls. none: never. auto: where the system allows it; otherwise the log says why "
        "not. required: kernels do not start without.",
    ).tag(config=True)
    one_user = Bool(
        False,
        help="Whether only one user may start and use kernels: only_user, or else whoever starts a "
        "kernel first. For gateways that are not root's and whose kernels have no namespaces, "
        "because their code reaches the files of the user who runs the gateway.",
    ).tag(config=True)
    only_user = Unicode(
        help="With one_user: the name of the user whom the fleet serves. The default is whoever "
        "starts the first kernel. A name here replaces an earlier user."
    ).tag(config=True)
    hidden_folders = List(
        Unicode(),
        help="With kernel_walls: folders that kernels do not see, beside kernels_dir; for example "
        "the one in which the fleet keeps its data and keys. Where the gateway is not root's, they "
        "do not see the home of its user and /run/user/UID either, unless only_user names whose "
        "kernels these are. Absolute paths.",
    ).tag(config=True)
    shown_folders = List(
        Unicode(),
        help="With kernel_walls: folders that kernels see although they are in a hidden folder, in "
        "/tmp, /var/tmp, /run or /dev/shm, in whose places a kernel has its own, and to which they "
        "may write where all else is read-only, because the gateway is not root's. The environment "
        "of kernels is always shown, but for what is hidden in it. Absolute paths.",
    ).tag(config=True)
    kernel_network = Enum(
        NETWORKS,
        "auto",
        help="With kernel_walls: what of the network a kernel of this machine reaches. none: "
        "nothing but itself. internet: what is no private, link-local or loopback address and not "
        "this machine; needs pasta (Debian: passt), a device /dev/net/tun that kernels' users can "
        "open, and nf_tables. host: all that this machine reaches, and every port of it. auto: "
        "internet, or none where that cannot be had, also for each kernel that finds it gone at "
        "its start, and host for kernels without namespaces or that listen on TCP ports. With none "
        "and internet, a kernel that cannot have that network does not start. With auto, a kernel "
        "in namespaces never gets the network of its machine.",
    ).tag(config=True)
    kernel_network_allowed = List(
        Unicode(),
        help="With kernel_network internet: what kernels reach beside that, as an address, a "
        "network or a name, with or without ports: 10.1.2.3:6379, 10.1.0.0/16:8000-9000, "
        "fd12::/48, [fd12::1]:6379, database.example:3306. A name is looked up when a kernel "
        "starts, which keeps these addresses. Addresses of this machine can be allowed, except its "
        "loopback.",
    ).tag(config=True)
    tun_device = Unicode(
        help="With kernel_network internet: a device that kernels' users can open in the place of "
        "/dev/net/tun, made by root (mknod -m 666 FILE c 10 200), where only root can open that "
        "one. The default is /dev/net/tun itself."
    ).tag(config=True)
    launch_policy_file = Unicode(
        help="A JSON file that says, for each project, what of the launch options of kernelspecs "
        "it may choose (deploy/README.md). Read again when it changes; a file that is wrong is "
        "reported in the log, and the last good one stays in use. By default every project may "
        "choose what kernelspecs offer."
    ).tag(config=True)
    memory_cgroup = Unicode(
        help="The cgroup below which kernels get theirs, for example /sys/fs/cgroup/fleet. It "
        "must be writable for the gateway, have no processes, and delegate the memory "
        "controller (cgroup.subtree_control). The default is the gateway's own, with "
        "cgroups of version 1; with version 2 there is none."
    ).tag(config=True)
    first_uid = Integer(
        FIRST_UID,
        min=1,
        help="As root, the user id of the first project's kernels; later projects get the next "
        "ones. Give fleets that share a machine ids far apart: kernels of one id can read each "
        "other's files. Projects that have an id keep it.",
    ).tag(config=True)
    ping_seconds = Float(1.0, help="How often gateways and agents ping each other.").tag(
        config=True
    )
    ping_timeout = Float(
        5.0, help="After how many silent seconds the other end counts as disconnected."
    ).tag(config=True)
    orphan_seconds = Float(
        7 * 24 * 3600.0,
        help="How long an agent keeps its kernel while it reaches no gateway, in seconds.",
    ).tag(config=True)
    journal_memory_bytes = Integer(
        16 * 1024 * 1024,
        min=1,
        help="How many bytes of what a kernel says its agent keeps in memory. What is older goes "
        "to the agent's disk.",
    ).tag(config=True)
    journal_disk_bytes = Integer(
        1024 * 1024 * 1024,
        min=0,
        help="How many bytes of a kernel's journal its agent keeps on the disk beside the kernel, "
        "compressed: about ten times as much output. What is older than that is lost, and pages "
        "are told so. 0: nothing, memory alone keeps the journal.",
    ).tag(config=True)
    journal_comm_bytes = Integer(
        100 * 1024 * 1024,
        min=1024 * 1024,
        help="How many more bytes there are on that disk for messages of widgets (comm_open, "
        "comm_msg and comm_close), compressed. The oldest of them go first, and never does "
        "anything else for them. Only pages that were away and had the ones before are told.",
    ).tag(config=True)
    max_message_bytes = Integer(
        1025 * 1024 * 1024,
        help="The longest kernel message that is relayed, in bytes. Not less than what agents "
        "send: the agent would resend it again and again.",
    ).tag(config=True)
    max_held_bytes = Integer(
        1025 * 1024 * 1024,
        min=1024 * 1024,
        help="How many bytes clients that are no labs may together send to kernels that are being "
        "launched or have no owner. When there are more, the client that has sent the most is "
        "disconnected.",
    ).tag(config=True)
    max_unsent_bytes = Integer(
        256 * 1024 * 1024,
        min=1024 * 1024,
        help="How many bytes of what kernels say may wait for clients that read too slowly, for "
        "all clients of this gateway together. When more waits, the client for which the most "
        "waits is disconnected: it connects again and gets the rest from the kernel's journal.",
    ).tag(config=True)
    max_unsent_bytes_per_person = Integer(
        64 * 1024 * 1024,
        min=1024 * 1024,
        help="The same for all clients of one person.",
    ).tag(config=True)
    drain_seconds = Float(
        10.0,
        help="How many seconds a gateway that is told to stop waits for other gateways to "
        "take over its kernels, and before that, for at most half of this time, for the "
        "kernels that it is starting.",
    ).tag(config=True)
    claims_per_second = Float(
        50.0,
        help="How many kernels this gateway takes over per second when another one has ended. "
        "Agents wait up to 5 s for their turn, or connect to another gateway.",
    ).tag(config=True)
    unproven_agents = Integer(
        256,
        min=2,
        help="How many connections may be open that have not yet proved which kernel's agent "
        "they belong to; half of these places are reserved for kernels that exist. "
        "Further connections are rejected, and agents retry. Agents prove it when they "
        "connect and need no place, unless they are older, or their clock is more than "
        "60 s off.",
    ).tag(config=True)
    kernel_calls = List(
        Unicode(),
        help="What code in kernels may ask of the fleet, by the names of the calls "
        "(docs/protocols.md). The default is every call that this gateway knows; an empty list "
        "allows none.",
    ).tag(config=True)
    kernel_calls_per_second = Float(
        10.0,
        min=0.1,
        help="How many such calls each kernel may make per second, apart from short bursts. "
        "Further calls are rejected (429).",
    ).tag(config=True)
    request_seconds = Float(
        60.0,
        help="How long a client may take to send a request: first its headers, or to start "
        "the next one on the same connection, then its body.",
    ).tag(config=True)
    metrics_port = Integer(
        0,
        min=0,
        max=65535,
        help="Port at which the gateway answers /metrics (for Prometheus) and /health, without a "
        "token and at no other port; 0 for none.",
    ).tag(config=True)
    metrics_ip = Unicode(
        "127.0.0.1",
        help="Address of metrics_port. Only those who watch the fleet should be able to reach it.",
    ).tag(config=True)
    spread_starts = Bool(
        True,
        help="Whether a new kernel is started by the gateway that has the fewest. If not, the "
        "gateway that was asked starts it.",
    ).tag(config=True)
    rebalance_seconds = Float(
        5.0,
        help="How often the gateway with the most kernels hands one that is idle to the gateway "
        "with the fewest, until they are even; 0 for never. Kernels that run a cell stay.",
    ).tag(config=True)
    rebalance_after_seconds = Float(
        30.0,
        help="For how many seconds after a gateway has joined, left or drained no kernel is handed "
        "over to balance the load: nothing moves during a rolling restart.",
    ).tag(config=True)
    pooled_kernels = Integer(
        20,
        min=0,
        help="How many kernels at most wait in pools, of all kernelspecs together "
        "(metadata.fleet.pool in their kernel.json says how many of each). 0 for no pools.",
    ).tag(config=True)
    heartbeat_seconds = Float(
        2.0, help="How often, in seconds, a gateway reports that it is alive."
    ).tag(config=True)
    living_seconds = Float(
        8.0, help="A gateway that has not reported for so many seconds counts as dead."
    ).tag(config=True)
    unreachable_seconds = Float(
        10.0,
        help="After how many seconds of silence of its agent a kernel is shown as unreachable; not "
        "less than ping_timeout. If its gateway has ended, at the earliest three seconds after "
        "living_seconds: agents look for another gateway first.",
    ).tag(config=True)
    lost_seconds = Float(
        30.0,
        help="After how many seconds without an owner a kernel is checked: if its agent's "
        "process is known to have ended, the kernel is marked as dead.",
    ).tag(config=True)
    cluster_seconds = Float(
        30.0,
        help="How often a cluster is asked whether it has ended kernels whose agents are still "
        "connected. Only YARN can do that.",
    ).tag(config=True)
    concurrent_launches = Integer(
        min=1,
        help="How many kernels this gateway starts on its own machine at the same time; "
        "others wait for their turn, up to 3 s for each slow one. Projects take turns, and "
        "one project starts at most one fewer than this. The default is three "
        "for each processor (of the container's limit, if that is less): with more, all "
        "other requests to the gateway take longer, and the last kernel starts no sooner.",
    ).tag(config=True)
    launch_seconds = Float(
        600.0,
        help="How many seconds a kernel may take to start once it has its turn on this machine, "
        "or room in its cluster: its image is pulled, its container made, its process started.",
    ).tag(config=True)
    queue_seconds = Float(
        3600.0,
        help="How many seconds a kernel may wait for its turn, or for room in its cluster.",
    ).tag(config=True)
    answer_seconds = Float(
        60.0,
        help="How many seconds a client that starts a kernel waits for the response, unless it "
        "sets KERNEL_LAUNCH_TIMEOUT or wants none. Then it gets 503 with the kernel's id, the "
        "kernel goes on starting, and the same request waits for it.",
    ).tag(config=True)
    keep_dead_seconds = Float(
        3600.0, help="How long kernels that died, or could not be started, stay in the list."
    ).tag(config=True)
    keep_deleted_days = Float(
        14.0, help="How long deleted kernels are remembered, to tell agents that come back."
    ).tag(config=True)

    @validate("kernel_network_allowed")
    def _check_allowed(self, proposal: dict[str, list[str]]) -> list[str]:
        for text in proposal["value"]:
            try:
                check_allowed(text)
            except ValueError as error:
                raise TraitError(f"FleetGatewayApp.kernel_network_allowed: {error}") from error
        return proposal["value"]

    @default("concurrent_launches")
    def _concurrent_launches_default(self) -> int:
        return 3 * processors()

    @default("kernel_calls")
    def _kernel_calls_default(self) -> list[str]:
        return list(CALLS)

    @default("gateway_url")
    def _gateway_url_default(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @default("gateway_name")
    def _gateway_name_default(self) -> str:
        return f"{socket.gethostname()}-{self.port}"

    @default("kernels_dir")
    def _kernels_dir_default(self) -> str:
        return str(Path(jupyter_data_dir()) / "fleet-kernels")
