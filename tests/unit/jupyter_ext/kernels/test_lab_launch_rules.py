"""What a lab lets through to the gateways when a kernel is started."""

import asyncio
from typing import Any, cast

import pytest
from tornado import web

from jupyter_ext.kernels.gateway_client import FleetGatewayClient
from jupyter_ext.kernels.launch_rules import (
    FROM_STOCK_SERVERS,
    Choice,
    LaunchRules,
    offered,
    parse_choice,
)


class Gateways:
    """Answers with one set of rules after the other; the last one stays."""

    def __init__(self, *maxima: int, client_envs: list[str] | None = None) -> None:
        self.maxima = list(maxima)
        self.client_envs = client_envs or []
        self.asked: list[str] = []

    async def call(self, method: str, path: str) -> Any:
        self.asked.append(path)
        maximum = self.maxima.pop(0) if len(self.maxima) > 1 else self.maxima[0]
        return {
            "name": "python",
            "project": "demo",
            "schema": {"properties": {"cpus": {"type": "number", "maximum": maximum}}},
            "defaults": {},
            "client_envs": self.client_envs,
        }


def rules_of(gateways: Gateways) -> LaunchRules:
    return LaunchRules(cast(FleetGatewayClient, gateways), 60.0)


def check(gateways: Gateways, choice: Choice) -> str:
    return asyncio.run(rules_of(gateways).check(choice, "python3", "demo"))


def refused(gateways: Gateways, choice: Choice) -> str:
    with pytest.raises(web.HTTPError) as error:
        check(gateways, choice)
    assert error.value.status_code == 400
    return str(error.value.log_message)


def test_options_are_checked_by_the_gateways_schema() -> None:
    assert check(Gateways(4), Choice({"cpus": 4})) == "python"
    words = refused(Gateways(4), Choice({"cpus": 5}))
    assert words == "launch_options.cpus 5 is not allowed: a number, at most 4"


def test_rules_are_kept_but_nothing_is_refused_by_old_ones() -> None:
    gateways = Gateways(4, 8)
    rules = rules_of(gateways)

    async def starts() -> None:
        for cpus in (1, 2, 8, 7):
            await rules.check(Choice({"cpus": cpus}), "python3", "demo")

    asyncio.run(starts())
    assert gateways.asked == ["/api/fleet/kernelspecs/python3/launch-options?project=demo"] * 2


@pytest.mark.parametrize(
    ("message", "status"), [("Not Found", 503), ("there is no kernelspec 'x': …", 404)]
)
def test_gateways_of_the_version_before_are_told_from_a_missing_kernelspec(
    message: str, status: int
) -> None:
    class Missing(Gateways):
        async def call(self, method: str, path: str) -> Any:
            raise web.HTTPError(404, message)

    with pytest.raises(web.HTTPError) as error:
        check(Missing(4), Choice({"cpus": 1}))
    assert error.value.status_code == status


@pytest.mark.parametrize("name", ["KERNEL_CPUS", "KERNEL_ID", "MINE", "PATH"])
def test_variables_are_refused_and_not_dropped(name: str) -> None:
    words = refused(Gateways(4), Choice({}, {name: "1"}))
    assert words.startswith(f"the environment variable {name} may not be set in env: choose")
    assert "launch_options.environment" in words


@pytest.mark.parametrize("name", sorted(FROM_STOCK_SERVERS))
def test_what_stock_servers_send_with_every_start_is_no_choice(name: str) -> None:
    assert check(Gateways(4), Choice({}, {name: "1"})) == "python"
    # So a start that has nothing else needs no rules, which earlier gateways do not know.
    assert not Choice({}, {name: "1"})


def test_variables_that_the_gateways_let_clients_set() -> None:
    assert check(Gateways(4, client_envs=["MINE"]), Choice({}, {"MINE": "1"})) == "python"
    assert check(Gateways(4, client_envs=["*"]), Choice({}, {"OTHER": "1"})) == "python"
    for allowed in (["*"], ["KERNEL_CPUS"]):
        refused(Gateways(4, client_envs=allowed), Choice({}, {"KERNEL_CPUS": "1"}))


def test_what_a_request_chooses() -> None:
    assert not parse_choice({}, {"env": None, "launch_options": None})
    choice = parse_choice({"env": {"A": "1"}}, {"launch_options": {"cpus": 1}, "env": {"B": "2"}})
    assert choice == Choice({"cpus": 1}, {"A": "1", "B": "2"})
    shown = parse_choice(
        {"launch_options": {"cpus": 1}, "launch_defaults": {"cpus": 2, "queue": "q"}}
    )
    assert shown.wanted == {"cpus": 1, "queue": "q"}


@pytest.mark.parametrize("body", [{"env": []}, {"env": {"A": 1}}, {"launch_options": "x"}])
def test_what_is_no_choice(body: dict[str, Any]) -> None:
    with pytest.raises(web.HTTPError) as error:
        parse_choice(body)
    assert error.value.status_code == 400


@pytest.mark.parametrize("field", ["launch_options", "launch_defaults"])
def test_too_many_options_are_refused_before_anybody_asks_for_the_rules(field: str) -> None:
    many = {"environment": {f"A{number}": "" for number in range(3000)}}
    with pytest.raises(web.HTTPError, match=f"{field} has more than 1000 values") as refused:
        parse_choice({}, {field: many})
    assert refused.value.status_code == 400


class PersonalGateways(Gateways):
    """Says of each answer whether kernels of one person can be started there."""

    def __init__(self, *personal: bool) -> None:
        super().__init__(4)
        self.personal = list(personal)

    async def call(self, method: str, path: str) -> Any:
        rules = await super().call(method, path)
        known = self.personal.pop(0) if len(self.personal) > 1 else self.personal[0]
        return {**rules, "personal": True} if known else rules


def test_a_kernel_for_one_person_is_asked_of_no_gateway_that_would_start_one_for_all() -> None:
    choice = parse_choice({"launch_options": {"only_for_me": True, "cpus": 2}})
    assert (choice.only_for_me, choice.options) == (True, {"cpus": 2})
    assert bool(parse_choice({"launch_options": {"only_for_me": True}}))
    assert not parse_choice({"launch_options": {"only_for_me": False}})
    with pytest.raises(web.HTTPError) as error:
        check(PersonalGateways(False), choice)
    assert error.value.status_code == 503
    assert "knows no kernels for one person" in str(error.value.log_message)
    # They may have been upgraded just now.
    assert check(PersonalGateways(False, True), choice) == "python"
    with pytest.raises(web.HTTPError):
        parse_choice({"launch_options": {"only_for_me": 1}})


def test_a_kernel_for_one_person_is_refused_in_the_gateways_words() -> None:
    class SharedGateways(Gateways):
        async def call(self, method: str, path: str) -> Any:
            rules = await super().call(method, path)
            return {**rules, "personal": False, "why_shared": "all can read it"}

    with pytest.raises(web.HTTPError, match="all can read it") as error:
        check(SharedGateways(4), parse_choice({"launch_options": {"only_for_me": True}}))
    assert error.value.status_code == 400


def test_kernels_for_one_person_are_offered_where_there_are_some() -> None:
    async def shown(known: bool) -> Any:
        return offered(await rules_of(PersonalGateways(known)).of("python3", "demo"))

    properties = {known: asyncio.run(shown(known))["schema"]["properties"] for known in (0, 1)}
    assert set(properties[0]) == {"cpus"}
    assert set(properties[1]) == {"cpus", "only_for_me"}
    assert properties[1]["only_for_me"]["default"] is False
