"""What a kernel gets to see of the gateway's environment."""

from gateway_ext.process_proxies.environment import (
    agent_environment,
    asked_environment,
    for_kernel_only,
)

GATEWAY = {
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "TZ": "UTC",
    "AWS_SECRET_ACCESS_KEY": "hush",
    "EG_AUTH_TOKEN": "hush",
    "DATABASE_URL": "mysql://u:hush@h/d",
    "KERNEL_SOMETHING": "of the gateway's own",
    "PYTHONPATH": "/gateway",
    "HOME": "/root",
    "USER": "root",
}


def made(kernelspec: dict[str, str] | None = None, **asked: str) -> dict[str, str]:
    return agent_environment(
        GATEWAY,
        kernelspec or {},
        asked,
        program="/opt/kernel/bin/python",
        home="/k/projects/demo",
        user="demo",
    )


def test_nothing_of_the_gateway_but_language_time_and_path() -> None:
    assert made() == {
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "TZ": "UTC",
        "PATH": "/opt/kernel/bin:/usr/bin",
        "HOME": "/k/projects/demo",
        "USER": "demo",
        "LOGNAME": "demo",
        "PYTHONNOUSERSITE": "1",
    }


def test_the_client_goes_over_the_kernelspec() -> None:
    environment = made({"A": "spec", "B": "spec"}, A="client")
    assert (environment["A"], environment["B"]) == ("client", "spec")


def test_the_kernelspec_may_refer_to_the_path_and_not_to_secrets() -> None:
    environment = made({"PATH": "/spark/bin:${PATH}", "STOLEN": "${DATABASE_URL}"})
    assert environment["PATH"] == "/spark/bin:/opt/kernel/bin:/usr/bin"
    assert environment["STOLEN"] == "${DATABASE_URL}"


def test_home_user_and_parent_cannot_be_chosen() -> None:
    environment = made({"HOME": "/root"}, USER="root", LOGNAME="root", JPY_PARENT_PID="1")
    assert environment["HOME"] == "/k/projects/demo"
    assert environment["USER"] == environment["LOGNAME"] == "demo"
    assert "JPY_PARENT_PID" not in environment


def test_who_it_is_for_is_not_the_clients_word() -> None:
    asked = asked_environment(
        {"KERNEL_USERNAME": "mallory", "KERNEL_ID": "x", "KERNEL_NOTE": "y"},
        kernel_id="id",
        project="demo",
        username="ada",
    )
    assert asked == {
        "KERNEL_USERNAME": "ada",
        "KERNEL_ID": "id",
        "KERNEL_GATEWAY": "1",
        "KERNEL_PROJECT": "demo",
        "KERNEL_NOTE": "y",
    }


def test_what_would_have_an_agent_load_the_clients_code_is_for_the_kernel_alone() -> None:
    asked = {"PYTHONPATH": "/mine", "PYTHONUSERBASE": "/mine", "LD_PRELOAD": "/mine.so", "A": "1"}
    assert for_kernel_only(asked) == {k: v for k, v in asked.items() if k != "A"}
