"""Folders of the user who runs a fleet, with credentials and sockets for that user alone."""

import contextlib
import os
import pwd


def private_folders() -> list[str]:
    """The home, and where desktops and agents of keys have their sockets."""
    sockets = [os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.geteuid()}"]
    return [*homes(), *_owned(sockets)]


def homes() -> list[str]:
    """The home, and that of the system's list of users, if it is another one; none for users who
    own none, such as those of services, whose /usr/sbin has nothing of theirs."""
    named = [os.path.expanduser("~")]
    with contextlib.suppress(KeyError):
        named.append(pwd.getpwuid(os.geteuid()).pw_dir)
    return _owned(named)


def _owned(paths: list[str]) -> list[str]:
    """Which of these are folders of this user, without links and each once."""
    found = [os.path.realpath(path) for path in paths if os.path.isabs(path)]
    return list(dict.fromkeys(path for path in found if path != "/" and _owns(path)))


def _owns(folder: str) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()
    except OSError:
        return False
