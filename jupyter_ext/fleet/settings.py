"""The options and ports of a fleet, kept when it is down."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from jupyter_ext.fleet.advertised_address import in_url
from jupyter_ext.fleet.browser_address import host_for_browsers, public_address, reaches_others
from jupyter_ext.fleet.database_account import same_but_account
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernel_walls import folders, walls_mode
from jupyter_ext.fleet.member import Member
from jupyter_ext.fleet.network_options import allowed_addresses, network_mode
from jupyter_ext.fleet.option import Option, checked, option, shown, yes_or_no
from jupyter_ext.fleet.ports import FRONT, FRONT_INSIDE, KERNEL_FRONT
from jupyter_ext.fleet.quantities import duration, duration_text, size

STORE_PORTS = ("store-s3", "store-master", "store-volume", "store-filer")
MOST_PROCESSES = 64
LEAST_MEMORY = 100 * 2**20
"""Bytes that a Python kernel needs to start."""
LEAST_IDLE_SECONDS = 20
CULL_WARNING_SECONDS = 600
"""Unless `up` is told otherwise; half of the idle time where that is less."""


@dataclass(frozen=True)
class Settings:
    """One fleet on one machine.

    A field made with `option` is an option of `up`: it is checked, saved in the data directory, and
    applied to a running fleet, where a process is replaced if its `configuration` changes.
    ``database`` and ``bucket`` are None for the embedded ones, an environment is None for the one
    next to the lab's.
    """

    port: int = option(
        8888,
        "P",
        "port of the front (8888)",
        kind=int,
        least=1,
        most=65535,
        needs_down="open pages know the port",
    )
    tls_cert: str | None = option(
        None,
        "FILE",
        "certificate (PEM, with the certificates above it) with which the front serves https; '' "
        "for http",
        unset="",
        path=True,
        needs_down="open pages know the address",
    )
    tls_key: str | None = option(
        None,
        "FILE",
        "the certificate's private key (PEM), if it is not in the same file",
        unset="",
        path=True,
    )
    listen: str | None = option(
        None,
        "ADDRESS",
        "address of this machine at which browsers of other machines reach the front (0.0.0.0: "
        "all); '' for 127.0.0.1 only",
        unset="",
        needs_down="open pages know the address",
    )
    insecure_http: bool = option(
        False,
        "yes|no",
        "serve http at the address of --listen, readable for whoever listens on that network, "
        "instead of https with a certificate that `up` makes (no)",
        kind=yes_or_no,
        alone=True,
        needs_down="open pages know the address",
    )
    public_url: str | None = option(
        None,
        "URL",
        "the fleet's address in browsers if a proxy is in front of it, for example "
        "https://fleet.example; '' for none",
        kind=public_address,
        unset="",
        needs_down="open pages know the address",
    )
    token_in_url: bool = option(
        False,
        "yes|no",
        "accept a token as ?token=… with every call, as desktop editors such as VS Code send it; "
        "logs of proxies may keep it (no)",
        kind=yes_or_no,
        alone=True,
    )
    labs: int = option(2, "N", "number of labs (2)", kind=int, least=1, most=MOST_PROCESSES)
    gateways: int = option(2, "M", "number of gateways (2)", kind=int, least=1, most=MOST_PROCESSES)
    database: str | None = option(
        None,
        "URL",
        "mysql://user:password@host:port/database or sqlite:////absolute/path; 'embedded' "
        "for the embedded one ($FLEET_DATABASE, which `ps` shows nobody)",
        unset="embedded",
        needs_down="another database starts empty",
        variable="FLEET_DATABASE",
    )
    bucket: str | None = option(
        None,
        "URL",
        "s3://BUCKET[/PREFIX]?endpoint=URL&region=R (or oss://), credentials as boto3 finds "
        "them; 'embedded' for the embedded store",
        unset="embedded",
        needs_down="another bucket starts empty",
    )
    gateway_env: str | None = option(
        None,
        "DIR",
        "the gateways' virtual environment; 'default' for the one next to the lab's "
        "($FLEET_GATEWAY_ENV)",
        unset="default",
        path=True,
        variable="FLEET_GATEWAY_ENV",
    )
    kernel_env: str | None = option(
        None,
        "DIR",
        "the kernels' virtual environment; 'default' for the one next to the lab's "
        "($FLEET_KERNEL_ENV)",
        unset="default",
        path=True,
        variable="FLEET_KERNEL_ENV",
    )
    ports: dict[str, int] = field(default_factory=dict)
    max_kernels: int = option(
        0,
        "N",
        "maximum number of kernels in the fleet (0: no limit)",
        kind=int,
        least=1,
        zero="no limit",
    )
    max_kernels_per_user: int = option(
        0,
        "N",
        "maximum number of kernels of one user (0: no limit)",
        kind=int,
        least=1,
        zero="no limit",
    )
    kernel_memory: int = option(
        0,
        "SIZE",
        "memory that a kernel and its child processes may use, for example 4G (0: no limit)",
        kind=size,
        least=LEAST_MEMORY,
        zero="no limit",
    )
    """Bytes."""
    kernel_walls: str = option(
        "auto",
        "WHEN",
        "give each kernel namespaces of its own, in which it sees nothing of other kernels: none, "
        "auto (where this machine allows it) or required (auto)",
        kind=walls_mode,
    )
    shown_folders: str | None = option(
        None,
        "DIR:DIR",
        "folders that kernels see and may write to, although they are in /tmp, /var/tmp, /run, "
        "/dev/shm or the fleet's data, or, if the fleet is not root's, anywhere, as in the home of "
        "its user; '' for none",
        kind=folders,
        unset="",
    )
    trust_everyone: bool = option(
        False,
        "yes|no",
        "let several users run code on a fleet that is not root's and whose kernels have no "
        "namespaces, where it runs as the user of the fleet (no)",
        kind=yes_or_no,
        alone=True,
    )
    only_user: str | None = option(
        None,
        "NAME",
        "the one user who may run code, on this fleet, and whose kernels read your home unless you "
        "are root; '' for whoever starts a kernel first, where there is neither root nor a "
        "namespace, and otherwise for everybody",
        unset="",
    )
    kernel_network: str = option(
        "auto",
        "WHAT",
        "what kernels with walls reach: none, internet (nothing private, nothing of this machine), "
        "host (all that this machine reaches) or auto (internet where it can be had, else none) "
        "(auto)",
        kind=network_mode,
    )
    kernel_network_allowed: str | None = option(
        None,
        "LIST",
        "what kernels reach beside the internet, with commas between: 10.1.2.3:6379, 10.1.0.0/16, "
        "database.example:3306; '' for nothing",
        unset="",
        kind=allowed_addresses,
    )
    launch_policy: str | None = option(
        None,
        "FILE",
        "JSON file that says what each project may choose when it starts a kernel; gateways use "
        "the file itself and read it again when it changes; '' for none",
        unset="",
        path=True,
    )
    cull_idle: int = option(
        0,
        "TIME",
        "end kernels that have been idle for this time, for example 8h (0: never)",
        kind=duration,
        least=LEAST_IDLE_SECONDS,
        zero="never",
    )
    """In seconds, as is the next one."""
    cull_warning: int = option(
        CULL_WARNING_SECONDS,
        "TIME",
        "how long before that the page warns (10m, at most half of --cull-idle; 0: no warning)",
        kind=duration,
        least=0,
    )
    kernelspecs: str | None = option(
        None,
        "DIR",
        "folder with kernelspecs of your own, in addition to the one for kernels on this machine; "
        "'' for none",
        unset="",
        path=True,
    )
    kubeconfig: str | None = option(
        None,
        "FILE",
        "kubeconfig of the Kubernetes cluster in which kernels may be started; gateways use the "
        "file itself and read it again when it changes; '' for none",
        unset="",
        path=True,
    )
    kube_context: str | None = option(
        None,
        "NAME",
        "the kubeconfig's context (the one that is current when --kubeconfig is given)",
        unset="",
    )
    kube_namespace: str | None = option(
        None,
        "NAME",
        "the namespace of kernels; {project} in it stands for the project's name (the context's; "
        "'' to use that one again)",
        unset="",
    )
    yarn_conf: str | None = option(
        None,
        "DIR",
        "folder with Hadoop's configuration (yarn-site.xml, core-site.xml) of the YARN cluster in "
        "which kernels may be started; '' for none",
        unset="",
        path=True,
    )
    advertise: str | None = option(
        None,
        "HOST",
        "name or address of this machine under which clusters reach the gateways, which then "
        "listen there too; '' for 127.0.0.1 only",
        unset="",
    )
    one_user: bool = False
    """Whether only one user may run code: as `up` has found."""
    bucket_environment: dict[str, str] = field(default_factory=dict)
    """Variables that say where boto3 finds credentials (names and paths, no secret), as they were
    when the bucket was given: the next `up` may be typed in another shell."""

    @property
    def lab_names(self) -> list[str]:
        """Names of the labs, which are also their programs' and logs' names."""
        return [f"lab-{number + 1}" for number in range(self.labs)]

    @property
    def gateway_names(self) -> list[str]:
        """Names of the gateways."""
        return [f"gateway-{number + 1}" for number in range(self.gateways)]

    @property
    def port_names(self) -> list[str]:
        """The programs, other than the front, that need a port."""
        store = () if self.bucket else STORE_PORTS
        inside = (FRONT_INSIDE,) if self.serves_https else ()
        return [*self.lab_names, *self.gateway_names, KERNEL_FRONT, *inside, *store]

    def url(self, name: str = FRONT) -> str:
        """Address of a program for the others on this machine, by default of the front."""
        if name == FRONT and self.serves_https:
            name = FRONT_INSIDE
        port = self.port if name == FRONT else self.ports[name]
        return f"http://127.0.0.1:{port}"

    @property
    def browser_url(self) -> str:
        """Address of the front for browsers."""
        scheme = "https" if self.serves_https else "http"
        return self.public_url or f"{scheme}://{host_for_browsers(self.listen)}:{self.port}"

    @property
    def self_signed(self) -> bool:
        """Whether the front serves https with a certificate that `up` makes."""
        plain = self.insecure_http or self.tls_cert is not None
        return reaches_others(self.listen) and not plain

    @property
    def serves_https(self) -> bool:
        """Whether the front ends TLS itself."""
        return self.tls_cert is not None or self.self_signed

    def advertised_url(self, name: str) -> str:
        """Address of a gateway for labs, agents and the other gateways; of the front's listener for
        kernels, for agents."""
        host = "127.0.0.1" if self.advertise is None else in_url(self.advertise)
        return f"http://{host}:{self.ports[name]}"

    @property
    def members(self) -> list[Member]:
        """Every process of this fleet, in the order in which they are shown."""
        found = [Member(FRONT, FRONT, self.url())]
        # A fleet that the version before has started has none.
        if KERNEL_FRONT in self.ports:
            found.append(Member(KERNEL_FRONT, "kernel-front", self.url(KERNEL_FRONT)))
        found += [Member(name, "lab", self.url(name)) for name in self.lab_names]
        found += [Member(name, "gateway", self.url(name)) for name in self.gateway_names]
        if self.bucket is None:
            found.append(Member("store", "store", self.url("store-s3")))
        return found

    def changed(self, told: Mapping[str, Any]) -> Settings:
        """These settings, replaced by those of ``told`` that are not None; raises `FleetError`."""
        values = {
            name: checked(flag(name), OPTIONS[name], value)
            for name, value in told.items()
            if value is not None
        }
        changed = replace(self, **values)._of_its_kubeconfig(self, values)
        # The default is no error: gateways shorten it. Nor is what an earlier version has kept.
        asked_for = "cull_warning" in values or self.cull_warning != CULL_WARNING_SECONDS
        if asked_for and not values.keys().isdisjoint({"cull_idle", "cull_warning"}):
            changed._refuse_long_warning()
        return changed

    def _of_its_kubeconfig(self, before: Settings, told: Collection[str]) -> Settings:
        """Without the kept context of another kubeconfig, or of one that is no longer used."""
        if self.kubeconfig == before.kubeconfig:
            return self
        mine = ("kube_context",) if self.kubeconfig else ("kube_context", "kube_namespace")
        forgotten: dict[str, Any] = {name: None for name in mine if name not in told}
        return replace(self, **forgotten)

    def _refuse_long_warning(self) -> None:
        """Raise `FleetError` if the page is to warn for longer than half of the idle time."""
        if self.cull_idle and 2 * self.cull_warning > self.cull_idle:
            raise FleetError(
                f"--cull-warning {duration_text(self.cull_warning)} is more than half of"
                f" --cull-idle {duration_text(self.cull_idle)}: use"
                f" {duration_text(self.cull_idle // 2)} or less, or a longer --cull-idle"
            )

    def differences(self, other: Settings) -> dict[str, str]:
        """The differences between these settings and ``other``, for people: by option, and with
        passwords removed from URLs."""
        return {
            name: f"{flag(name)} {shown(one, getattr(self, name))} instead of"
            f" {shown(one, getattr(other, name))}"
            for name, one in OPTIONS.items()
            if getattr(self, name) != getattr(other, name)
        }

    def refuse_while_running(self, running: Settings) -> None:
        """Raise `FleetError` if ``running`` cannot become these settings process by process."""
        for name, words in self.differences(running).items():
            why = OPTIONS[name].needs_down
            if name == "database" and same_but_account(self.database, running.database):
                continue
            if why is not None:
                raise FleetError(
                    f"a running fleet cannot get {words} ({why}): nothing was changed; run "
                    "`jupyter fleet down` first (kernels keep running), then repeat this"
                )


OPTIONS: dict[str, Option] = {
    one.name: one.metadata["option"] for one in fields(Settings) if "option" in one.metadata
}
"""The options of `up` that are saved, by the name of their setting."""


def flag(name: str) -> str:
    """The command-line option for the setting ``name``."""
    return f"--{name.replace('_', '-')}"


def told_settings(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings that were given: by an option, or else by its environment variable."""
    told = {}
    for name, one in OPTIONS.items():
        value = options.get(name)
        if value is None and one.variable is not None:
            value = environment.get(one.variable) or None
        told[name] = value
    return told
