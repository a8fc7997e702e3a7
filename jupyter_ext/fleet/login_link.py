"""Links that sign a browser in once, and the tokens of the demo platform behind them."""

from __future__ import annotations

import argparse

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.quantities import duration_text, lifetime
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.revocations import LONGEST_TOKEN_SECONDS
from jupyter_ext.platform.tokens import TokenError
from jupyter_ext.wire.routes import SIGN_IN_CODES_ROUTE

DEMO_USER = "demo"
DEMO_PROJECT = "demo"
LOGIN_SECONDS = 12 * 3600
LINK_SECONDS = 900


def add_token_options(command: argparse.ArgumentParser) -> None:
    """The options that say what is in a token."""
    command.add_argument(
        "--project",
        action="append",
        type=grant,
        metavar="NAME=viewer|editor|owner",
        help=f"a role in a project; may be repeated ({DEMO_PROJECT}=owner)",
    )
    command.add_argument(
        "--expires",
        type=lifetime,
        default=LOGIN_SECONDS,
        metavar="TIME",
        help="how long it is valid, for example 90s or 8h (12h)",
    )


def grant(text: str) -> tuple[str, str]:
    """``NAME=role`` as a pair."""
    project, separator, role = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=viewer|editor|owner")
    return project, role


def demo_token(
    data_dir: DataDir,
    user: str = DEMO_USER,
    grants: list[tuple[str, str]] | None = None,
    seconds: int = LOGIN_SECONDS,
) -> str:
    """A token of the demo platform; raises `FleetError` for what no token may say."""
    if not 1 <= seconds <= LONGEST_TOKEN_SECONDS:
        raise FleetError(
            f"--expires {duration_text(seconds)} is out of range: a token is valid for 1s"
            f" to {duration_text(LONGEST_TOKEN_SECONDS)}"
        )
    grants = grants or [(DEMO_PROJECT, "owner")]
    projects = dict(grants)
    if len(projects) < len(grants):
        raise FleetError("--project names a project twice: a user has one role in each")
    try:
        return SecretFiles(data_dir.secrets).signer().sign(user, projects, seconds)
    except TokenError as error:
        raise FleetError(str(error)) from error


def login_link(settings: Settings, token: str) -> str:
    """A link that signs one browser in, within `LINK_SECONDS`, as the holder of ``token``; raises
    `FleetError` if no lab gives one."""
    try:
        answer = call(
            "POST", settings.url() + SIGN_IN_CODES_ROUTE, token, body={"seconds": LINK_SECONDS}
        )
    except CallFailed as error:
        raise FleetError(
            f"no lab gives a login link ({error}): try `jupyter fleet login-link` in a moment"
        ) from error
    return f"{settings.browser_url}/login?code={answer['code']}"
