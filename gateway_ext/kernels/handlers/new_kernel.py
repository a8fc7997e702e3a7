"""Parses the POST for a new kernel."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from enterprise_gateway.services.kernels.handlers import (  # type: ignore[import-untyped]
    MAX_ENV_VALUE_LENGTH,
)

from gateway_ext.kernels.handlers.authentication import choose_project
from gateway_ext.kernels.kernel_id import check_kernel_id
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel
from jupyter_ext.launch_options.check import OptionRefused, parse_options, parse_shown
from jupyter_ext.platform.json_bodies import SMALL, JsonRefused, check, check_texts
from jupyter_ext.platform.personal_kernels import wanted_project
from jupyter_ext.platform.projects import ProjectNameError
from jupyter_ext.platform.tokens import Identity

LONGEST_PATH = 4096


def client_environment(asked: object, allowed: list[str]) -> dict[str, str]:
    """The part of a client's `env` that a kernel may get: KERNEL_… and what `client_envs` allows,
    as in Enterprise Gateway. Raises Refusal (400).

    A KERNEL_… name is in upper case: templates have them in lower case, so that another spelling
    would set the same thing past every check of the name.
    """
    if asked is None:
        return {}
    if not isinstance(asked, Mapping):
        raise Refusal(400, '"env" must be an object')
    environment = {}
    for name, value in asked.items():
        if not (name.startswith("KERNEL_") or name in allowed or allowed == ["*"]):
            continue
        if name.startswith("KERNEL_") and name != name.upper():
            raise Refusal(
                400, f"the environment variable {name!r} is not allowed: write it in upper case"
            )
        if not isinstance(value, str):
            raise Refusal(400, f"the environment variable {name!r} must be a string")
        if not name or len(value) > MAX_ENV_VALUE_LENGTH or "\0" in name + value or "=" in name:
            raise Refusal(
                400,
                f"the environment variable {name!r} is not allowed: it needs a name without '=', "
                f"and a value of at most {MAX_ENV_VALUE_LENGTH} characters, both without NUL",
            )
        environment[name] = value
    return environment


def parse_body(body: bytes) -> dict[str, Any]:
    """The JSON object in the body of a call, empty if there is none; raises Refusal (400, 413)."""
    try:
        check(body, SMALL)
        check_texts(body)
        document = json.loads(body or b"{}")
    except JsonRefused as error:
        raise Refusal(error.status, str(error)) from error
    except ValueError:
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body is not a JSON object")
    return document


def parse_new_kernel(
    body: Mapping[str, Any], identity: Identity, default_name: str, allowed_envs: list[str]
) -> NewKernel:
    """What a POST asks for; raises Refusal (400). Whether the caller may is not looked at."""
    environment = client_environment(body.get("env"), allowed_envs)
    texts = {}
    for name, default in (
        ("name", default_name),
        ("path", ""),
        ("project", environment.get("KERNEL_PROJECT", "")),
        ("kernel_id", environment.get("KERNEL_ID", "")),
    ):
        value = body.get(name) or default
        if not isinstance(value, str):
            raise Refusal(400, f'"{name}" must be a string')
        texts[name] = value
    if len(texts["path"].encode()) > LONGEST_PATH:
        raise Refusal(400, f'"path" has more than {LONGEST_PATH} bytes')
    try:
        project, personal = wanted_project(choose_project(identity, texts["project"] or None))
    except ProjectNameError as error:
        raise Refusal(400, str(error)) from error
    if personal and identity.service is not None:
        raise Refusal(400, "a kernel for one person alone is started with that person's token")
    launch_seconds = environment.get("KERNEL_LAUNCH_TIMEOUT", "1")
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]*)?", launch_seconds):
        raise Refusal(400, f"KERNEL_LAUNCH_TIMEOUT is not a number of seconds: {launch_seconds!r}")
    try:
        options = parse_options(body.get("launch_options"))
        shown = parse_shown(body.get("launch_defaults"))
    except OptionRefused as refused:
        raise Refusal(400, str(refused)) from refused
    kernel_id = check_kernel_id(texts["kernel_id"]) if texts["kernel_id"] else str(uuid.uuid4())
    return NewKernel(
        kernel_id=kernel_id,
        project=project,
        path=texts["path"],
        username=identity.user,
        kernel_name=texts["name"],
        environment=environment,
        launch_options=options,
        shown_defaults=shown,
        personal=personal,
        by_service=identity.service is not None,
    )
