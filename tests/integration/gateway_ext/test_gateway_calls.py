"""REST calls and websockets of stock clients, at the owner and at the other gateway."""

import http.client
import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import websocket

from jupyter_ext.platform.tokens import TokenSigner
from jupyter_ext.wire.frames import SUBPROTOCOL
from tests.integration.gateway_ext.fleet_of_gateways import (
    GATEWAY_SECRET,
    Client,
    Gateways,
    agents_of,
    kernel_python,
    wait_until,
)
from tests.unit.jupyter_ext.platform.token_attacks import Attacker, sendable


@pytest.fixture(scope="module")
def kernel_id(gateways: Gateways) -> str:
    """A kernel owned by the first gateway."""
    return gateways.start_kernel(0)


def test_model_says_what_the_kernel_is(gateways: Gateways, kernel_id: str) -> None:
    for url in gateways.urls:
        model = gateways.client().call("GET", f"{url}/api/kernels/{kernel_id}").json()
        assert model["id"] == kernel_id
        assert (model["project"], model["username"], model["name"]) == ("demo", "ada", "python")
        assert model["state"] == "running"
        assert model["epoch"] >= 1
        assert kernel_id in [
            entry["id"] for entry in gateways.client().call("GET", f"{url}/api/kernels").json()
        ]


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_stock_websocket_runs_cells_anywhere(
    gateways: Gateways, kernel_id: str, number: int, v1: bool
) -> None:
    assert gateways.owner(kernel_id) == gateways.urls[0]
    with gateways.client().channels(gateways.urls[number], kernel_id, v1=v1) as channels:
        assert channels.run(f"x = {number}; print(x + 41)") == f"{number + 41}\n"
        _, reply = channels.finish(channels.execute("1/0"))
        assert reply["ename"] == "ZeroDivisionError"


def test_stdin_and_control_go_through(gateways: Gateways, kernel_id: str) -> None:
    with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
        content = {"code": "print('hi ' + input('name? '))", "silent": False, "allow_stdin": True}
        request = channels.send("execute_request", content)
        while (message := channels.receive())["header"]["msg_type"] != "input_request":
            pass
        assert message["channel"] == "stdin"
        channels.send("input_reply", {"value": "ada"}, channel="stdin")
        text, _ = channels.finish(request)
        assert text.endswith("hi ada\n")
        request = channels.send("kernel_info_request", {}, channel="control")
        while (message := channels.receive())["header"]["msg_type"] != "kernel_info_reply":
            pass
        assert message["channel"] == "control"
        assert message["parent_header"]["msg_id"] == request


def test_same_id_twice_is_one_kernel(gateways: Gateways) -> None:
    kernel_id = str(uuid.uuid4())

    def post(number: int) -> Any:
        url = f"{gateways.urls[number % 2]}/api/kernels"
        body = (
            {"name": "python", "kernel_id": kernel_id}
            if number % 3
            else {"name": "python", "env": {"KERNEL_ID": kernel_id}}
        )
        return gateways.client().call("POST", url, json=body)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert {answer.json()["id"] for answer in answers} == {kernel_id}
    assert len(agents_of(kernel_id)) == 1
    gateways.client().call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")


def test_interrupt_restart_and_delete_at_the_other_gateway(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    other = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    client = gateways.client()
    with client.channels(gateways.urls[1], kernel_id) as channels:
        born = channels.run("y = 1; print(get_ipython().kernel.ident)").strip()
        request = channels.execute("print('on', flush=True)\nimport time\ntime.sleep(60)")
        while channels.receive()["header"]["msg_type"] != "stream":
            pass
        assert client.call("POST", f"{other}/interrupt").status_code == 204
        _, reply = channels.finish(request)
        assert reply["ename"] == "KeyboardInterrupt"
        assert channels.run("print(y)") == "1\n"

        answer = client.call("POST", f"{other}/restart")
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == kernel_id
        assert channels.run("print(get_ipython().kernel.ident)").strip() != born
        assert channels.run("print('y' in dir())") == "False\n"
    assert client.call("DELETE", other).status_code == 204
    for url in gateways.urls:
        assert client.call("GET", f"{url}/api/kernels/{kernel_id}").status_code == 404
    wait_until(lambda: not agents_of(kernel_id))


def test_an_interrupt_of_a_kernel_that_has_no_process_yet_says_so(gateways: Gateways) -> None:
    gate = gateways.home() / "restart-gate"
    waits = f'while [ -e {gate} ]; do sleep 0.05; done; exec {kernel_python()} "$@"'
    ipykernel = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    gateways._write_kernelspec("waits", {}, argv=["sh", "-c", waits, "sh", *ipykernel])
    kernel_id = gateways.start_kernel(0, name="waits")
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    gate.touch()
    try:
        with ThreadPoolExecutor(1) as other:
            restart = other.submit(gateways.client().call, "POST", f"{url}/restart")

            def refused() -> Any:
                # The process that ends at this moment can still be interrupted.
                answer = gateways.client().call("POST", f"{url}/interrupt")
                if answer.status_code == 204:
                    return None
                return answer.status_code, answer.json()["message"]

            words = "the kernel cannot be interrupted: it is restarting"
            assert wait_until(refused) == (409, words)
            gate.unlink()
            assert restart.result().status_code == 200
    finally:
        gate.unlink(missing_ok=True)
    assert gateways.client().call("POST", f"{url}/interrupt").status_code == 204
    gateways.client().call("DELETE", url)


def test_a_kernel_that_is_deleted_meanwhile_is_not_found(gateways: Gateways) -> None:
    client = gateways.client()
    there, here = (f"{url}/api/kernels" for url in gateways.urls)
    with ThreadPoolExecutor(4) as others:

        def call(method: str, path: str = "", **body: Any) -> Any:
            return others.submit(client.call, method, f"{here}{path}", **body)

        for pause in (0, 0.02, 0.05, 0.1):
            kernel_id = gateways.start_kernel(0)
            calls = [call("POST", f"/{kernel_id}/restart") for _ in range(3)]
            time.sleep(pause)
            assert client.call("DELETE", f"{there}/{kernel_id}").status_code in (204, 404)
            said = [done.result() for done in calls]
            assert {answer.status_code for answer in said} <= {200, 404, 503}, [
                answer.text for answer in said
            ]
        for pause in (0, 0.05, 0.2):
            kernel_id = str(uuid.uuid4())
            started = call(
                "POST", json={"name": "python", "project": "demo", "kernel_id": kernel_id}
            )
            time.sleep(pause)
            wait_until(
                lambda kernel_id=kernel_id: (
                    client.call("DELETE", f"{there}/{kernel_id}").status_code == 204
                )
            )
            answer = started.result()
            assert answer.status_code in (201, 404), answer.text


def test_direct_callers_are_sent_to_the_owner(gateways: Gateways, kernel_id: str) -> None:
    client = gateways.client()
    answer = client.call(
        "POST", f"{gateways.urls[1]}/api/kernels/{kernel_id}/interrupt", direct=True
    )
    assert answer.status_code == 421
    assert answer.json()["url"] == gateways.urls[0]
    assert answer.json()["epoch"] >= 1
    answer = client.call(
        "POST", f"{gateways.urls[0]}/api/kernels/{kernel_id}/interrupt", direct=True
    )
    assert answer.status_code == 204


def test_what_does_not_exist(gateways: Gateways) -> None:
    client = gateways.client()
    unknown = str(uuid.uuid4())
    began = time.monotonic()
    for method, path in (
        ("GET", f"/api/kernels/{unknown}"),
        ("DELETE", f"/api/kernels/{unknown}"),
        ("POST", f"/api/kernels/{unknown}/interrupt"),
        ("POST", f"/api/kernels/{unknown}/restart"),
        ("GET", f"/api/fleet/kernels/{unknown}/owner"),
        ("GET", f"/api/kernels/{unknown}/channels"),
        ("GET", "/api/sessions"),
        ("GET", "/api/contents"),
    ):
        answer = client.call(method, gateways.urls[1] + path)
        # A websocket's address that is asked without an upgrade is a bad request at most.
        assert answer.status_code == 404, (path, answer.text)
        assert answer.json()["reason"] == "Not Found"
    assert time.monotonic() - began < 20
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        client.channels(gateways.urls[1], unknown)
    assert refused.value.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/nothing", 404, "nothing at this path"),
        ("PUT", "/api/kernels", 405, "no such method"),
        ("PUT", "/api/kernelspecs", 405, "no such method"),
    ],
)
def test_what_is_not_there_is_answered_in_words(
    gateways: Gateways, method: str, path: str, status: int, words: str
) -> None:
    answer = gateways.client().call(method, gateways.urls[0] + path)
    assert answer.status_code == status
    assert words in answer.json()["message"]


@pytest.mark.parametrize("path", ["/api", "/api/kernels", "/api/kernelspecs", "/api/nothing"])
def test_nobody_keeps_an_answer(gateways: Gateways, path: str) -> None:
    answer = gateways.client().call("GET", gateways.urls[0] + path)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("bad", ["x", "..", "%2e%2e", "A" * 36, "1" * 4000])
def test_malformed_id_is_a_bad_request(gateways: Gateways, bad: str) -> None:
    connection = http.client.HTTPConnection(gateways.urls[0].removeprefix("http://"))
    connection.request("GET", f"/api/kernels/{bad}", headers=gateways.client().headers)
    answer = connection.getresponse()
    assert answer.status == 400
    assert "not a kernel id" in json.loads(answer.read())["message"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": "nothing"}, 404, "no kernelspec"),
        ({"name": 3}, 400, "must be a string"),
        ({"kernel_id": "x"}, 400, "not a kernel id"),
        ({"project": "../x"}, 400, "not a project name"),
        ({"env": []}, 400, "must be an object"),
        ({"env": {"KERNEL_X": 3}}, 400, "must be a string"),
        ({"env": {"KERNEL_X": "a\0b"}}, 400, "not allowed"),
        ({"name": "stock"}, 400, "gateway_ext.process_proxies.local"),
        ({"project": "other"}, 403, "not editor of project 'other'"),
    ],
)
def test_bad_requests_start_nothing(
    gateways: Gateways, body: dict[str, Any], status: int, words: str
) -> None:
    client = gateways.client()
    before = client.call("GET", f"{gateways.urls[0]}/api/kernels").json()
    answer = client.call("POST", f"{gateways.urls[0]}/api/kernels", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]
    after = client.call("GET", f"{gateways.urls[0]}/api/kernels").json()
    assert {kernel["id"] for kernel in after} == {kernel["id"] for kernel in before}


def test_a_body_that_is_not_json(gateways: Gateways) -> None:
    for data in ("{", "[]"):
        answer = gateways.client().call("POST", f"{gateways.urls[0]}/api/kernels", data=data)
        assert answer.status_code == 400


def test_failed_launch_says_why_and_leaves_nothing(gateways: Gateways) -> None:
    client = gateways.client()
    kernel_id = str(uuid.uuid4())
    url = f"{gateways.urls[0]}/api/kernels"
    answer = client.call("POST", url, json={"name": "missing", "kernel_id": kernel_id})
    assert answer.status_code == 500
    assert "/nowhere/python" in answer.json()["message"]
    model = client.call("GET", f"{url}/{kernel_id}").json()
    assert (model["state"], model["execution_state"]) == ("dead", "dead")
    assert "/nowhere/python" in model["reason"]
    assert not agents_of(kernel_id)
    # The record does not block: the same id may be asked for again, and removed.
    answer = client.call("POST", url, json={"name": "missing", "kernel_id": kernel_id})
    assert answer.status_code == 500
    assert client.call("DELETE", f"{url}/{kernel_id}").status_code == 204
    assert client.call("GET", f"{url}/{kernel_id}").status_code == 404


def test_kernelspecs_are_listed(gateways: Gateways) -> None:
    answer = gateways.client().call("GET", f"{gateways.urls[1]}/api/kernelspecs")
    assert answer.status_code == 200
    assert answer.json()["default"] == "python"
    assert "python" in answer.json()["kernelspecs"]


def test_a_kernelspec_is_found_by_each_name_that_starts_it(gateways: Gateways) -> None:
    client, url = gateways.client(), f"{gateways.urls[1]}/api/kernelspecs/"
    ours = client.call("GET", url + "python")
    assert ours.status_code == 200
    for name in ("python3", "conda-base-py"):
        assert client.call("GET", url + name).json() == ours.json()
    assert client.call("GET", url + "julia").status_code == 404


PATHS = [
    "/api",
    "/api/kernels",
    "/api/kernelspecs",
    "/api/kernelspecs/python",
    "/kernelspecs/python/logo.png",
    "/api/swagger.json",
    "/api/sessions",
    "/api/fleet/gateways",
]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_without_a_valid_token(gateways: Gateways, path: str) -> None:
    stranger = TokenSigner(gateways.directory / "stranger.pem")
    tokens = {
        "none": None,
        "expired": gateways.signer.sign("ada", {"demo": "owner"}, -10),
        "strange": stranger.sign("ada", {"demo": "owner"}, 3600),
        "nonsense": "x",
    }
    for name, token in tokens.items():
        response = Client(token).call("GET", gateways.urls[0] + path)
        assert response.status_code == 401, name
        assert response.headers["Cache-Control"] == "no-store"
        assert response.json()["reason"] == "Unauthorized"
        # A token in the URL would be logged.
        if token:
            response = Client(None).call("GET", f"{gateways.urls[0]}{path}?token={token}")
            assert response.status_code == 401


def test_forged_and_broken_tokens_are_refused(gateways: Gateways, kernel_id: str) -> None:
    attacks = sendable(Attacker(gateways.directory).all())
    assert len(attacks) >= 150
    wrong = []
    for name, forged in attacks.items():
        client = Client(forged)
        for method, path in (
            ("GET", "/api/kernels"),
            ("GET", "/api/kernelspecs"),
            ("POST", f"/api/fleet/kernels/{kernel_id}/gone"),
            ("POST", f"/api/fleet/kernels/{kernel_id}/journal"),
        ):
            answer = client.call(method, f"{gateways.urls[0]}{path}")
            if answer.status_code != 401 or forged in answer.text:
                wrong.append((name, path, answer.status_code))
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            client.channels(gateways.urls[0], kernel_id)
        if refused.value.status_code != 401:
            wrong.append((name, "channels", refused.value.status_code))
    assert wrong == []


def test_websocket_needs_a_token(gateways: Gateways, kernel_id: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Client(None).channels(gateways.urls[0], kernel_id)
    assert refused.value.status_code == 401


@pytest.mark.parametrize("path", ["/api/kernelspecs", "/api/kernelspecs/x", "/api/kernels"])
def test_browsers_may_ask_first(gateways: Gateways, path: str) -> None:
    assert Client(None).call("OPTIONS", f"{gateways.urls[0]}{path}").status_code < 300


@pytest.mark.parametrize("received", ["", "x", "-1", "²", "1" * 5000])
def test_a_stream_says_how_far_it_is_in_a_number(
    gateways: Gateways, kernel_id: str, received: str
) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(
            f"{gateways.urls[0].replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
            f"?session_id=s&stream=n&received={quote(received)}",
            header=gateways.client().headers,
            subprotocols=[SUBPROTOCOL],
            timeout=40,
        )
    assert refused.value.status_code == 400


def test_roles(gateways: Gateways, kernel_id: str) -> None:
    url = f"{gateways.urls[1]}/api/kernels"
    viewer = gateways.client(user="vera", demo="viewer")
    assert viewer.call("GET", f"{url}/{kernel_id}").status_code == 200
    assert kernel_id in [kernel["id"] for kernel in viewer.call("GET", url).json()]
    assert viewer.call("POST", f"{url}/{kernel_id}/interrupt").status_code == 403
    assert viewer.call("DELETE", f"{url}/{kernel_id}").status_code == 403
    assert viewer.call("POST", url, json={}).status_code == 403
    stranger = gateways.client(user="mallory", other="owner")
    assert stranger.call("GET", url).json() == []
    for method, path in (
        ("GET", f"{url}/{kernel_id}"),
        ("DELETE", f"{url}/{kernel_id}"),
        ("POST", f"{url}/{kernel_id}/restart"),
        ("GET", f"{gateways.urls[0]}/api/fleet/kernels/{kernel_id}/owner"),
        ("GET", f"{gateways.urls[0]}/api/fleet/kernels/{kernel_id}/events"),
    ):
        answer = stranger.call(method, path)
        assert answer.status_code == 404, path
        assert "demo" not in answer.text
    for number in (0, 1):
        for client, status in ((viewer, 403), (stranger, 404)):
            with pytest.raises(websocket.WebSocketBadStatusException) as refused:
                client.channels(gateways.urls[number], kernel_id)
            assert refused.value.status_code == status
    # The same id cannot be used to get at another project's kernel.
    answer = stranger.call("POST", url, json={"kernel_id": kernel_id})
    assert answer.status_code == 409
    several = gateways.client(user="eva", demo="editor", other="editor")
    assert several.call("POST", url, json={}).status_code == 400


def test_who_lost_a_role_is_not_told_that_the_kernel_is_gone(
    gateways: Gateways, kernel_id: str
) -> None:
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    assert gateways.client(user="rita", demo="editor").call("GET", url).status_code == 200
    rita = gateways.client(user="rita", other="owner")
    # Written down beside the answer.
    wait_until(lambda: rita.call("GET", url).status_code == 403)
    for number in (0, 1):
        other = f"{gateways.urls[number]}/api/kernels/{kernel_id}"
        for method in ("GET", "DELETE"):
            assert rita.call(method, other).status_code == 403
        socket = websocket.create_connection(
            f"{other.replace('http', 'ws', 1)}/channels?session_id=s&stream=n",
            header=rita.headers,
            subprotocols=[SUBPROTOCOL],
            timeout=40,
        )
        opcode, data = socket.recv_data()
        assert opcode == websocket.ABNF.OPCODE_CLOSE
        assert int.from_bytes(data[:2], "big") == 4403
        socket.close()


def test_environment_of_a_kernel(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(
        0, env={"KERNEL_USERNAME": "mallory", "KERNEL_NOTE": "x", "LD_PRELOAD": "/x", "FOO": "x"}
    )
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        code = "import os, json; print(json.dumps(dict(os.environ)))"
        environment = json.loads(channels.run(code))
        assert GATEWAY_SECRET not in json.dumps(environment)
        assert environment["KERNEL_USERNAME"] == "ada"
        assert environment["KERNEL_ID"] == kernel_id
        assert environment["KERNEL_PROJECT"] == "demo"
        assert environment["KERNEL_NOTE"] == "x"
        assert environment["FROM_SPEC"] == "yes"
        assert not {"FOO", "LD_PRELOAD"} & set(environment)
        assert f"/{kernel_id.replace('-', '')}-" in environment["JUPYTER_CONFIG_DIR"]
        code = "!python -c 'import sys; print(sys.executable)'\nimport sys; print(sys.executable)"
        assert len(set(channels.run(code).split())) == 1
        # Nor through the files of the processes around it.
        code = "!cat /proc/{os.getppid()}/environ"
        assert GATEWAY_SECRET not in channels.run(code)
    gateways.client().call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give kernels other user ids")
def test_each_project_has_its_own_user(gateways: Gateways) -> None:
    client = gateways.client(demo="owner", other="owner")
    seen = {}
    for project in ("demo", "other"):
        answer = client.call("POST", f"{gateways.urls[0]}/api/kernels", json={"project": project})
        kernel_id = answer.json()["id"]
        with client.channels(gateways.urls[0], kernel_id) as channels:
            code = (
                "import os\nhome = os.environ['HOME']\nopen('mine', 'w').write('x')\n"
                "print(os.getuid(), os.getgid(), os.getgroups(), os.getcwd() == home, home)"
            )
            seen[project] = channels.run(code).split()
            if project == "other":
                code = f"try: open('{seen['demo'][-1]}/mine')\nexcept Exception as e: print(e)"
                assert "No such file" in channels.run(code)
        client.call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")
    uids = {project: int(words[0]) for project, words in seen.items()}
    assert min(uids.values()) >= 200_000
    assert uids["demo"] != uids["other"]
    for words in seen.values():
        assert words[1] == words[0]
        assert words[2] == "[]"
        assert words[3] == "True"
