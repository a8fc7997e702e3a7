"""No command in the documents has a secret among its arguments: the shell's history keeps them, and
`ps` shows them to everybody on the machine."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HERE = re.compile(r"<<'?(\w+)'?.*?\n.*?^\1$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)
_BY_THE_SHELL = re.compile(r"(?:^|[;(]\s*)(?:echo|printf|export) [^;)\n]*", re.MULTILINE)
_SECRET = re.compile(
    r"Bearer |--(?:token|password)[= ]|\$\{?(?:TOKEN|PASSWORD)|://[^\s/]+:[^\s/]+@"
)


def secret_arguments(document: str) -> list[str]:
    """The lines of a document's commands that have a secret among the arguments of a program."""
    found = []
    for block in _BLOCK.findall(document):
        commands = _COMMENT.sub("", _HERE.sub("", block))
        lines = _BY_THE_SHELL.sub("", commands).splitlines()
        found += [line for line in lines if _SECRET.search(line)]
    return found


@pytest.mark.parametrize(
    ("command", "is_found"),
    [
        ('curl -H "Authorization: Bearer $TOKEN" url', True),
        ('kubectl config set-credentials gateways --token "$TOKEN"', True),
        ("jupyter fleet up --database mysql://user:password@host/fleet", True),
        ('(umask 077; echo "Authorization: Bearer $(jupyter fleet token demo)" >file)', False),
        ("cat >file <<END\ntoken: $TOKEN\nEND", False),
        ("jupyter fleet status # --token also prints a link", False),
        ("read -rs FLEET_DATABASE # mysql://user:password@host/fleet", False),
        ("TOKEN=$(kubectl create token gateways)", False),
    ],
)
def test_secrets_among_arguments_are_found(command: str, is_found: bool) -> None:
    assert bool(secret_arguments(f"Text.\n\n```sh\n{command}\n```\n")) is is_found


def test_no_command_in_the_documents_has_a_secret_among_its_arguments() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    documents = [REPOSITORY / name for name in listed.stdout.split()]
    assert documents
    found = {
        path.relative_to(REPOSITORY).as_posix(): lines
        for path in documents
        if (lines := secret_arguments(path.read_text()))
    }
    assert found == {}
