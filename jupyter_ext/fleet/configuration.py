"""Configuration files of a fleet's programs: pure functions from settings to documents."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_ext.fleet.build import Builds
from jupyter_ext.fleet.clusters import Clusters
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.kernel_network import network_config
from jupyter_ext.fleet.kubeconfig import PROJECT
from jupyter_ext.fleet.lab_logins import host_config, login_config
from jupyter_ext.fleet.limits import gateway_limits
from jupyter_ext.fleet.member import CHECKS
from jupyter_ext.fleet.ports import FRONT, KERNEL_FRONT
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.tools import Tools

EMBEDDED_BUCKET = "fleet"
REGION = "us-east-1"

SHIPPED_KERNELSPEC = "python"
"""The one for kernels on this machine."""

ORPHAN_SECONDS = 7 * 86400
"""How long kernels outlive ``down``."""

# Names of variables that programs may inherit; one that ends with "*" is a prefix. They must not
# see anything else (tokens, passwords) that is in the environment of `up`.
INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "SSL_CERT_*",
)
INHERITED_BY_DEVELOPERS = ("PYTHONPATH",)
INHERITED_BY_LABS = (
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
)


@dataclass(frozen=True)
class Program:
    """One program under supervision."""

    name: str
    role: str
    """``lab``, ``gateway``, ``store``, ``front`` or ``kernel-front``."""
    command: tuple[str, ...]
    url: str
    stop_signal: str
    stop_seconds: int
    """How long it may take to stop before it is killed."""
    environment: Mapping[str, str]
    """Variables in addition to `inherited`; paths only, never a secret."""
    configuration: Mapping[str, Any] | None = None
    """The content of the file that ``command`` names, if the program reads it only at its start."""
    build: str = ""
    """The build of this project that it runs; for other programs, an ID of the executable."""

    @property
    def runs(self) -> str:
        """A digest of all that a process of this program is started with; `up` replaces a process
        that was started with another one."""
        parts = [self.command, dict(self.environment), self.configuration, self.build]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that programs of the fleet inherit."""
    return {
        name: value
        for name, value in environment.items()
        if any(
            name == known or (known.endswith("*") and name.startswith(known[:-1]))
            for known in (*INHERITED, *INHERITED_BY_DEVELOPERS)
        )
    }


def store_environment(
    settings: Settings, secrets: SecretFiles, environment: Mapping[str, str]
) -> dict[str, str]:
    """The variables that tell labs, and the checks of `up`, where boto3 finds its credentials."""
    if settings.bucket is None:
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(secrets.store_credentials),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    found = {**settings.bucket_environment, **bucket_environment(environment)}
    if secrets.bucket_credentials.exists():
        found["AWS_SHARED_CREDENTIALS_FILE"] = str(secrets.bucket_credentials)
        found.pop("AWS_PROFILE", None)
    return found


def bucket_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that say where a bucket's credentials are."""
    return {name: environment[name] for name in INHERITED_BY_LABS if name in environment}


def bucket_url(settings: Settings) -> str:
    """The URL of the bucket, as in the labs' configuration."""
    if settings.bucket is not None:
        return settings.bucket
    return f"s3://{EMBEDDED_BUCKET}?endpoint={settings.url('store-s3')}&region={REGION}"


def lab_config(
    name: str, settings: Settings, data_dir: DataDir, secrets: SecretFiles
) -> dict[str, Any]:
    """Configuration of one lab (``jupyter_server_config.json``)."""
    return {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": settings.ports[name],
            "port_retries": 0,
            "base_url": "/",
            "open_browser": False,
            "allow_root": True,
            # The front passes on which host and scheme the browser asked for.
            "trust_xheaders": True,
            "terminals_enabled": False,
            # Without our extension it would serve the files of this machine.
            "reraise_server_extension_failures": True,
            "identity_provider_class": "jupyter_ext.auth.identity_provider.FleetIdentityProvider",
            "contents_manager_class": "jupyter_ext.contents.manager.FleetContentsManager",
            "cookie_secret_file": str(secrets.cookie_secret),
            **host_config(settings),
            # Also where the package is not installed but only in PYTHONPATH.
            "jpserver_extensions": {
                "jupyter_ext": True,
                # Both start programs on the lab's machine for any user.
                "jupyter_lsp": False,
                "jupyter_server_terminals": False,
            },
        },
        "LabApp": {
            "extension_manager": "readonly",
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        },
        "Audit": audit_config(name, data_dir),
        "NotebookNotary": {"secret_file": str(secrets.notary_secret)},
        "FleetIdentityProvider": login_config(settings),
        "JupyterFleet": {
            "database_url": settings.database or data_dir.lab_database,
            "bucket_url": bucket_url(settings),
            "gateway_urls": [settings.url(gateway) for gateway in settings.gateway_names],
            "token_keys_file": str(secrets.token_keys),
            "login_keys_file": str(secrets.login_keys),
            "shared_secrets_file": str(secrets.shared_secrets),
            "service_token_file": str(secrets.service_token("lab")),
        },
    }


def audit_config(name: str, data_dir: DataDir) -> dict[str, str]:
    """Where a server writes what people did."""
    return {"file": str(data_dir.audit_file(name)), "server_name": name}


NO_CLUSTERS = Clusters()


def gateway_config(
    name: str,
    settings: Settings,
    data_dir: DataDir,
    secrets: SecretFiles,
    tools: Tools,
    clusters: Clusters = NO_CLUSTERS,
) -> dict[str, Any]:
    """Configuration of one gateway (``jupyter_enterprise_gateway_config.json``)."""
    limits = gateway_limits(settings)
    kernel_dirs = [str(tools.kernelspecs)]
    manager = dict(limits["FleetMappingKernelManager"])
    if settings.kernelspecs is not None:
        # The first one of a name is used.
        kernel_dirs.insert(0, settings.kernelspecs)
        # Otherwise that of the first name would be.
        manager["default_kernel_name"] = SHIPPED_KERNELSPEC
    return {
        **limits,
        "FleetMappingKernelManager": manager,
        **cluster_config(settings, clusters),
        "FleetGatewayApp": {
            **limits["FleetGatewayApp"],
            "ip": "127.0.0.1",
            "port": settings.ports[name],
            "port_retries": 0,
            "database_url": settings.database or data_dir.gateway_database,
            "gateway_url": settings.advertised_url(name),
            "gateway_name": name,
            "token_keys_file": str(secrets.token_keys),
            "encryption_keys_file": str(secrets.encryption_keys),
            # The front knows which labs there are and which of them answer.
            "lab_urls": [settings.url()],
            "kernel_lab_urls": [settings.advertised_url(KERNEL_FRONT)],
            "service_token_file": str(secrets.service_token("gateway")),
            "kernels_dir": str(data_dir.kernels),
            "kernel_walls": settings.kernel_walls,
            "one_user": settings.one_user,
            "only_user": settings.only_user or "",
            # Without root, kernels have the fleet's own user id.
            "hidden_folders": [str(data_dir.root)],
            "shown_folders": list(filter(None, (settings.shown_folders or "").split(os.pathsep))),
            **network_config(settings, data_dir),
            "first_uid": data_dir.first_uid,
            "agent_command": [str(tools.kernel_python), "-m", "gateway_ext.agent"],
            "orphan_seconds": ORPHAN_SECONDS,
            **({"more_ips": [settings.advertise]} if settings.advertise is not None else {}),
        },
        "Audit": audit_config(name, data_dir),
        "FleetKernelSpecManager": {
            "kernel_dirs": kernel_dirs,
            "ensure_native_kernel": False,
        },
    }


def cluster_config(settings: Settings, clusters: Clusters) -> dict[str, Any]:
    """The part of a gateway's configuration that says where clusters are."""
    found: dict[str, Any] = {}
    context = clusters.kubernetes
    if context is not None:
        told = settings.kube_namespace or context.namespace or "default"
        found["KubernetesCluster"] = {
            "kubeconfig": settings.kubeconfig,
            "context": context.name,
            **({"project_namespaces": {"*": told}} if PROJECT in told else {"namespace": told}),
        }
    if clusters.resource_managers:
        found["YarnCluster"] = {"endpoints": list(clusters.resource_managers)}
    return found


def cluster_environment(settings: Settings) -> dict[str, str]:
    """The variables by which spark-submit finds Hadoop's configuration."""
    if settings.yarn_conf is None:
        return {}
    return dict.fromkeys(("HADOOP_CONF_DIR", "YARN_CONF_DIR"), settings.yarn_conf)


def programs(
    settings: Settings,
    data_dir: DataDir,
    secrets: SecretFiles,
    tools: Tools,
    builds: Builds,
    aws: Mapping[str, str],
    clusters: Clusters = NO_CLUSTERS,
    kernel_front: str = "",
) -> list[Program]:
    """Every program of the fleet; the order is the one in which they are shown. ``kernel_front`` is
    the configuration of the front's listener for kernels."""
    found = [
        _nginx(FRONT, data_dir.front_config, settings, data_dir, tools),
        # What agents send meanwhile goes through their gateways: it need not load another
        # configuration while it runs.
        replace(
            _nginx(KERNEL_FRONT, data_dir.kernel_front_config, settings, data_dir, tools),
            configuration={"nginx": kernel_front},
        ),
    ]
    for name in settings.lab_names:
        folder = data_dir.labs / name
        found.append(
            Program(
                name=name,
                role="lab",
                command=(
                    str(tools.lab_python),
                    *("-m", "jupyter_ext"),
                    f"--config={data_dir.lab_config(name)}",
                ),
                url=settings.url(name),
                stop_signal="TERM",
                stop_seconds=15,
                environment={
                    "JUPYTER_CONFIG_DIR": str(data_dir.config / name),
                    "JUPYTER_DATA_DIR": str(folder / "data"),
                    "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                    "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                    "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                    **aws,
                },
                configuration=lab_config(name, settings, data_dir, secrets),
                build=builds.lab,
            )
        )
    for name in settings.gateway_names:
        folder = data_dir.labs / name
        found.append(
            Program(
                name=name,
                role="gateway",
                command=(str(tools.gateway), f"--config={data_dir.gateway_config(name)}"),
                url=settings.url(name),
                stop_signal="TERM",
                # It first hands its agents over to other gateways.
                stop_seconds=30,
                environment={
                    "JUPYTER_CONFIG_DIR": str(data_dir.config / name),
                    "JUPYTER_DATA_DIR": str(folder / "data"),
                    "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                    **cluster_environment(settings),
                },
                configuration=gateway_config(name, settings, data_dir, secrets, tools, clusters),
                build=builds.gateway,
            )
        )
    if tools.weed is not None:
        found.append(_store(tools.weed, settings, data_dir, secrets, builds.store))
    return found


def _nginx(name: str, config: Path, settings: Settings, data_dir: DataDir, tools: Tools) -> Program:
    return Program(
        name=name,
        role="kernel-front" if name == KERNEL_FRONT else "front",
        command=(
            str(tools.nginx),
            *("-e", "stderr"),
            *("-p", str(data_dir.front)),
            *("-c", str(config)),
        ),
        url=settings.url(name),
        # QUIT would wait for open pages.
        stop_signal="TERM",
        stop_seconds=3,
        environment={},
    )


def _store(
    weed: Path, settings: Settings, data_dir: DataDir, secrets: SecretFiles, build: str
) -> Program:
    ports = settings.ports
    command = (
        str(weed),
        f"-config_dir={secrets.store_security}",
        "-logtostderr=true",
        "server",
        f"-dir={data_dir.store}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={ports['store-master']}",
        f"-volume.port={ports['store-volume']}",
        "-filer",
        f"-filer.port={ports['store-filer']}",
        f"-filer.localSocket={data_dir.root / 'filer.sock'}",
        "-s3",
        f"-s3.port={ports['store-s3']}",
        f"-s3.config={secrets.store_identities}",
        f"-s3.localSocket={data_dir.root / 's3.sock'}",
        # Further servers that it would start on fixed ports.
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        # The master's own API can delete everything and authenticates nobody.
        "-disableHttp",
        # Alone, it wins every election; by default it takes 20 s for that after a restart.
        "-master.electionTimeout=1s",
        "-master.heartbeatInterval=100ms",
        "-master.volumeSizeLimitMB=1024",
        "-volume.max=0",
    )
    return Program(
        name="store",
        role="store",
        command=command,
        url=settings.url("store-s3"),
        # By then nobody writes any more, and writes that it has acknowledged survive SIGKILL
        # (that may happen at any time): its own way of stopping would wait for 25 s.
        stop_signal="KILL",
        stop_seconds=1,
        environment={},
        build=build,
    )


def definitions(fleet: Iterable[Program], data_dir: DataDir) -> list[dict[str, Any]]:
    """What the supervisor is told about each program (`supervised_program.Definition`)."""
    return [
        {
            "name": one.name,
            "command": list(one.command),
            "environment": dict(one.environment),
            "runs": one.runs,
            "build": one.build if one.role in ("lab", "gateway") else None,
            "log": str(data_dir.log(one.name)),
            "stop_signal": one.stop_signal,
            "stop_seconds": one.stop_seconds,
            "check_url": one.url + CHECKS[one.role],
        }
        for one in fleet
    ]
