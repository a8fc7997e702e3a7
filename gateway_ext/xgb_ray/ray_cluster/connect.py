"""Connects to a Ray cluster and reserves room in it."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.errors import ClusterError, ParameterError

if TYPE_CHECKING:
    from ray.util.placement_group import PlacementGroup

# How long a cluster may take to run its first task, which brings this package there.
_ANSWER_SECONDS = 120


# How often a client tries a cluster whose head fails to start the client's server. The head forks
# with gRPC's threads running, and once in a while the new process dies of it.
_CLIENT_ATTEMPTS = 3
_NO_CLIENT_SERVER = ("Starting Ray client server failed", "Proxy failed to Connect to backend")

# The address that `connect` was last given, and the cluster that this led to.
_connected: tuple[str, str] | None = None


def connect(cluster: str | None, *, local_cpus: int | None = None) -> None:
    """Make sure that this process is connected to a Ray cluster.

    Args:
        cluster: "local" for one inside this machine, "auto" for the one that runs here, or an
            address such as `ray://head:10001`. None is the one that this process is connected
            to, or else a local one.
        local_cpus: CPUs of a local cluster; all of the machine's unless told.

    Raises:
        ClusterError: there is none at that address, its versions differ from this kernel's, or
            this process is connected to another one.
    """
    global _connected
    import ray

    if cluster == "rayjob":
        raise ClusterError(
            "a rayjob is not a cluster to connect to: use %xgb_ray with --cluster rayjob, or "
            "gateway_ext.xgb_ray.rayjob.client.start"
        )
    if ray.is_initialized():
        _check_same(cluster)
        return
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": False,
        "include_dashboard": False,
    }
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if cluster in (None, "local"):
        cpus = local_cpus or os.cpu_count() or 1
        _import_beside("xgboost")
        try:
            with _environment_of_cluster(cpus), _few_words():
                # "local" also where RAY_ADDRESS names a cluster.
                ray.init(address="local", num_cpus=cpus, **options)
        except Exception as error:
            # Ray raises a bare Exception when its processes do not come up in time.
            words = " ".join(str(error).split())
            raise ClusterError(
                f"Ray did not start on this machine ({words}): try again, when it is less busy or "
                "has more memory free"
            ) from error
        _connected = "local", _identity()
        return
    del options["include_dashboard"]
    # Workers elsewhere need this package, whose only other part there is an empty parent.
    package = Path(__file__).parents[1]
    options["runtime_env"] = {"py_modules": [str(package)]}
    try:
        with _few_words():
            _init_elsewhere(cluster, options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ClusterError(_why_not(cluster, str(error))) from error
    try:
        _check_versions(str(cluster))
    except BaseException:
        ray.shutdown()
        raise
    _connected = str(cluster), _identity()


def _init_elsewhere(cluster: str | None, options: Mapping[str, Any]) -> None:
    """Call `ray.init` for a cluster that somebody else started, and again where that helps."""
    import ray

    for left in reversed(range(_CLIENT_ATTEMPTS)):
        try:
            ray.init(address=cluster, **options)
            return
        except ConnectionAbortedError as error:
            if not left or not any(words in str(error) for words in _NO_CLIENT_SERVER):
                raise


def of_a_client() -> bool:
    """Whether this process is connected through `ray://`, as a client from outside."""
    from ray.util.client import ray as client

    return bool(client.is_connected())


def _identity() -> str:
    import ray

    return str(ray.get_runtime_context().gcs_address) if not of_a_client() else "client"


def _check_same(cluster: str | None) -> None:
    """Refuse another cluster than the one that this module connected to."""
    if cluster is None or _connected is None or _connected[1] != _identity():
        return
    if cluster != _connected[0]:
        raise ClusterError(
            f"this kernel is connected to the Ray cluster {_connected[0]!r}: to use {cluster!r} "
            "run `import ray; ray.shutdown()` first"
        )


def _why_not(cluster: str | None, text: str) -> str:
    if "ersion mismatch" in text:
        words = " ".join(text.split())
        return (
            f"the Ray cluster at {cluster!r} does not fit this kernel: {words}. Install the "
            "versions of the cluster here, or use --cluster local"
        )
    first = next((line for line in text.splitlines() if line.strip()), "no answer")
    return (
        f"no Ray cluster answers at {cluster!r} ({first}): check the address, or use "
        "--cluster local. A cluster that requires a token needs RAY_AUTH_MODE=token and "
        "RAY_AUTH_TOKEN in the environment of the kernel"
    )


def _check_versions(cluster: str) -> None:
    """Compare what the workers of a cluster compute with to what is here.

    Raises:
        ClusterError: XGBoost is missing there, or of another version.
    """
    import ray
    import xgboost

    @ray.remote(num_cpus=0, max_retries=0)
    def version() -> str:
        try:
            import xgboost
        except ImportError:
            return ""
        return str(xgboost.__version__)

    try:
        there = ray.get(version.remote(), timeout=_ANSWER_SECONDS)
    except Exception as error:
        raise ClusterError(
            f"the Ray cluster at {cluster!r} runs no task ({str(error).splitlines()[0]})"
        ) from error
    here = xgboost.__version__
    if there.split(".")[:2] != here.split(".")[:2]:
        has = f"XGBoost {there}" if there else "no XGBoost"
        raise ClusterError(
            f"the workers of the Ray cluster at {cluster!r} have {has}, this kernel has {here}: "
            "install the same version in both"
        )


def _import_beside(name: str) -> None:
    """Import what is needed next while this thread waits for Ray to start, most of the time."""

    def load() -> None:
        # Whoever needs it says what is wrong with it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)

    if name not in sys.modules:
        threading.Thread(target=load, name=f"import-{name}", daemon=True).start()


@contextlib.contextmanager
def _few_words() -> Iterator[None]:
    """Keep Ray's advice on widgets and tokens out of the notebook."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _environment_of_cluster(cpus: int) -> Iterator[None]:
    """The environment of a local cluster.

    Its processes find this package also where it is not installed. They have the priority of this
    process: Ray would have workers give way to everything else on the machine (niceness 15), and
    members of a collective call then wait for whoever is starved most. And the processes that
    loaded data stay for the next training beside the workers (measured: 2.3 CPU seconds less for
    two): Ray would end whatever is idle above one process a CPU.
    """
    root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    ours = {"RAY_worker_niceness": "0", "RAY_num_workers_soft_limit": str(2 * cpus)}
    wanted = {name: os.environ.get(name, value) for name, value in ours.items()}
    wanted["PYTHONPATH"] = root if not path else f"{root}{os.pathsep}{path}"
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def reserve(
    workers: int,
    cpus: float,
    *,
    memory_bytes: int | None,
    timeout: float,
    stopping: Callable[[], bool],
) -> PlacementGroup:
    """Room for all workers or nothing, so that two jobs never each hold half of what they need.

    Raises:
        ClusterError: the cluster is too small, or stays too busy for `timeout` seconds.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group

    bundle: dict[str, float] = {"CPU": cpus}
    if memory_bytes:
        bundle["memory"] = memory_bytes
    lacking = "" if _grows() else why_no_room(workers, bundle, _machines())
    if lacking:
        raise ClusterError(lacking)
    group = placement_group([dict(bundle)] * workers, strategy="PACK")
    deadline = time.monotonic() + timeout
    while not group.wait(timeout_seconds=0.2):
        if stopping() or time.monotonic() > deadline:
            with contextlib.suppress(Exception):
                remove_placement_group(group)
            if stopping():
                raise InterruptedError
            lacking = why_no_room(workers, bundle, _machines())
            if lacking:
                raise ClusterError(f"no machine was added within {timeout:g} s, and {lacking}")
            free, total = ray.available_resources(), ray.cluster_resources()
            shown = " and ".join(
                f"{_figure(free.get(name, 0), name)} of {_amount(total.get(name, 0), name)}"
                for name in bundle
            )
            raise ClusterError(
                f"no room for {_several(workers, bundle)} within {timeout:g} s: {shown} are free. "
                "Wait for other jobs, use fewer workers, or raise start_timeout"
            )
    return group


def why_no_room(
    workers: int, bundle: Mapping[str, float], machines: Sequence[Mapping[str, float]]
) -> str:
    """Why there is no room for the workers even if the machines were idle; "" if there is.

    Args:
        bundle: what each worker needs: "CPU", and perhaps "memory" in bytes.
        machines: what each has, by the same names.
    """
    # With a little more: 33 / 1.1 is less than 30 to a computer.
    room = sum(
        int(min(m.get(name, 0) / need for name, need in bundle.items()) + 1e-6) for m in machines
    )
    if room >= workers:
        return ""
    for name, need in bundle.items():
        most = max((m.get(name, 0) for m in machines), default=0)
        if need > most:
            return (
                f"no machine has room for a worker with {_share(bundle)}: the largest has "
                f"{_amount(most, name)}. Use a smaller {_OPTIONS[name]}"
            )
    for name, need in bundle.items():
        total = sum(m.get(name, 0) for m in machines)
        if workers * need > total:
            return (
                f"{_several(workers, bundle)} need {_amount(workers * need, name)}, but the "
                f"cluster has {_amount(total, name)}: use fewer workers or less {_OPTIONS[name]}"
            )
    return (
        f"of {_several(workers, bundle)} only {room} have room on the machines there are: use "
        f"fewer workers, or a smaller {' or '.join(_OPTIONS[name] for name in bundle)}"
    )


# What the user sets of a worker's share of a machine, by Ray's name of it.
_OPTIONS = {"CPU": "cpus_per_worker", "memory": "memory_per_worker"}


def _several(workers: int, bundle: Mapping[str, float]) -> str:
    return f"{workers} workers with {_share(bundle)} each"


def _share(bundle: Mapping[str, float]) -> str:
    return " and ".join(_amount(need, name) for name, need in bundle.items())


def _amount(value: float, name: str) -> str:
    if name == "memory":
        return f"{_figure(value, name)} GiB of memory"
    return f"{_figure(value, name)} CPU{'s' if value != 1 else ''}"


def _figure(value: float, name: str) -> str:
    return f"{value / 2**30:.4g}" if name == "memory" else f"{value:g}"


def _machines() -> list[dict[str, float]]:
    """What each machine of the cluster has."""
    import ray

    return [n["Resources"] for n in ray.nodes() if n["Alive"]]


def check_task(cpus: float) -> None:
    """Refuse tasks that need so many CPUs that they would wait forever.

    Raises:
        ParameterError: it is no number of CPUs.
        ClusterError: no machine of the cluster has so many, nor may one be added.
    """
    if cpus <= 0:
        raise ParameterError("the CPUs of a worker must be above 0")
    lacking = "" if _grows() else why_no_room(1, {"CPU": cpus}, _machines())
    if lacking:
        raise ClusterError(lacking)


def _grows() -> bool:
    """Whether an autoscaler may add nodes: then a cluster that is too small today may do."""
    try:
        from ray._private.worker import global_worker

        head = global_worker.node
    except ImportError:
        return True
    # Only a cluster that this process started itself is known to have no autoscaler.
    return head is None or not head.is_head()


def end_process(node_id: str, pid: int) -> None:
    """SIGKILL a worker's process, also if it is stopped: `ray.kill` asks the process itself."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    @ray.remote(num_cpus=0, max_retries=0)
    def end(pid: int) -> None:
        import contextlib
        import os
        import signal

        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    end.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(pid)
