"""Room for workers on the machines of a cluster."""

from __future__ import annotations

from gateway_ext.xgb_ray.ray_cluster.connect import why_no_room

GiB = 2.0**30
MACHINES = [{"CPU": 4.0, "memory": 8 * GiB}, {"CPU": 2.0, "memory": 16 * GiB}]


def test_room() -> None:
    assert why_no_room(6, {"CPU": 1}, MACHINES) == ""
    assert why_no_room(2, {"CPU": 1, "memory": 10 * GiB}, MACHINES[1:] * 2) == ""
    assert why_no_room(12, {"CPU": 0.5}, MACHINES) == ""
    # 33 / 1.1 is less than 30 to a computer.
    assert why_no_room(30, {"CPU": 1.1}, [{"CPU": 33.0}]) == ""


def test_what_is_lacking_is_named_with_the_option_to_change() -> None:
    assert why_no_room(7, {"CPU": 1}, MACHINES) == (
        "7 workers with 1 CPU each need 7 CPUs, but the cluster has 6 CPUs: use fewer workers or "
        "less cpus_per_worker"
    )
    assert why_no_room(1, {"CPU": 5}, MACHINES) == (
        "no machine has room for a worker with 5 CPUs: the largest has 4 CPUs. Use a smaller "
        "cpus_per_worker"
    )
    assert why_no_room(1, {"CPU": 1, "memory": 20 * GiB}, MACHINES) == (
        "no machine has room for a worker with 1 CPU and 20 GiB of memory: the largest has 16 GiB "
        "of memory. Use a smaller memory_per_worker"
    )
    assert why_no_room(5, {"CPU": 1, "memory": 6 * GiB}, MACHINES) == (
        "5 workers with 1 CPU and 6 GiB of memory each need 30 GiB of memory, but the cluster has "
        "24 GiB of memory: use fewer workers or "
        "less memory_per_worker"
    )


def test_enough_in_all_but_not_on_any_one_machine() -> None:
    # Three CPUs are left, but on two machines.
    assert why_no_room(2, {"CPU": 3}, MACHINES) == (
        "of 2 workers with 3 CPUs each only 1 have room on the machines there are: use fewer "
        "workers, or a smaller cpus_per_worker"
    )
