"""``jupyter fleet secrets``: the keys of a fleet, shown and replaced."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from jupyter_ext.fleet.data_dir import DataDir, user_name
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.key_file import Older
from jupyter_ext.fleet.quantities import duration, duration_text
from jupyter_ext.fleet.secret_rotation import KEYS, Key, KeyState, SecretRotation
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.table import table

ACTIONS = ("status", "rotate", "drop")
LONGEST_KEEP = 30 * 86400
_LONGEST_ID = 16
"""Characters of an ID in a table: those of the platform's keys are thumbprints."""


def secrets_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's grammar."""
    parser.add_argument(
        "action",
        choices=ACTIONS,
        metavar="|".join(ACTIONS),
        help="status: which keys there are, and how much each encrypts; rotate: use a new key and "
        "accept the older one for a while; drop: no longer accept older keys",
    )
    parser.add_argument(
        "names", nargs="*", metavar="KEY", help=f"{', '.join(KEYS)} (all of them)", default=[]
    )
    parser.add_argument(
        "--keep",
        type=duration,
        metavar="TIME",
        help="rotate: how long the older key is accepted (12h for platform and logins: so long "
        "logins of the demo platform last; 1h for the others). Tokens that it has signed, and "
        "logins that were begun with it, end with it",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--json", action="store_true", help="status: print JSON")


def run_secrets(options: argparse.Namespace, data_dir: DataDir, settings: Settings) -> int:
    """Run the command; raises `FleetError`."""
    unknown = [name for name in options.names if name not in KEYS]
    if unknown:
        raise FleetError(f"there is no key {unknown[0]!r}: use {', '.join(KEYS)}")
    if options.keep is not None and not 0 <= options.keep <= LONGEST_KEEP:
        raise FleetError(
            f"--keep {duration_text(options.keep)} is out of range: use 0s to "
            f"{duration_text(LONGEST_KEEP)}"
        )
    keys = [KEYS[name] for name in options.names or KEYS]
    rotation = SecretRotation(data_dir, settings)
    if options.action == "status":
        print(_shown([rotation.state(key) for key in keys], as_json=options.json))
        return 0
    if options.dry_run:
        for key in keys:
            print(_would(options.action, rotation.state(key), options.keep))
        return 0
    with data_dir.locked():
        # Nothing is done to the first key if the last one's file is broken.
        for key in keys:
            rotation.check(key)
        if options.action == "drop":
            _refuse_a_part(rotation, keys)
        act = _rotate if options.action == "rotate" else _drop
        for key in keys:
            done = act(rotation, key, options.keep)
            print(done)
            audit_command(data_dir, f"secrets.{options.action}", key.name, done)
    return 0


def _rotate(rotation: SecretRotation, key: Key, keep: float | None) -> str:
    seconds = key.keep_seconds if keep is None else keep
    done = rotation.rotate(key, seconds)
    if keep == 0 and key.encrypts_at is None:
        dropped = rotation.drop(key, at_once=True)
        return f"{done}; no longer accepted: {', '.join(dropped)}" if dropped else done
    return done


def _refuse_a_part(rotation: SecretRotation, keys: list[Key]) -> None:
    """Raise `FleetError` unless older ones of all these keys can be dropped now."""
    try:
        for key in keys:
            rotation.droppable(key, at_once=True)
    except FleetError as error:
        raise FleetError(f"nothing was dropped, because not all can be now: {error}") from error


def _drop(rotation: SecretRotation, key: Key, keep: float | None) -> str:
    dropped = rotation.drop(key, at_once=True)
    what = f"no longer accepted: {', '.join(dropped)}" if dropped else "there is no older key"
    return f"{key.name}: {what}"


def _would(action: str, state: KeyState, keep: float | None) -> str:
    name, ids = state.key.name, ", ".join(one.id for one in state.older)
    if action == "drop":
        return f"{name}: would no longer accept {ids}" if ids else f"{name}: nothing to drop"
    if state.unfinished:
        return f"{name}: would finish the rotation that was interrupted"
    if ids:
        return f"{name}: would begin no other rotation: {ids} is still accepted"
    seconds = state.key.keep_seconds if keep is None else keep
    return (
        f"{name}: would use a new key, and accept {state.current} for "
        f"{duration_text(int(seconds))} more"
    )


def _shown(states: list[KeyState], *, as_json: bool) -> str:
    if as_json:
        documents: list[dict[str, Any]] = [
            {
                "name": one.key.name,
                "use": one.key.use,
                "current": one.current,
                "older": [asdict(older) for older in one.older],
                "unfinished": one.unfinished,
                "values": one.values,
            }
            for one in states
        ]
        return json.dumps(documents, indent=2)
    rows = [("KEY", "USED", "STILL ACCEPTED", "WHAT FOR")]
    for one in states:
        used = _with_count(one.current, one.values)
        if one.unfinished:
            used += ", interrupted: rotate again"
        older = ", ".join(_older_text(each, one.values) for each in one.older) or "-"
        rows.append((one.key.name, used, older, one.key.use))
    return table(rows)


def _older_text(older: Older, values: dict[str, int] | None) -> str:
    until = datetime.fromtimestamp(older.drop_after).astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{_with_count(older.id, values)} until {until}"


def _with_count(key_id: str, values: dict[str, int] | None) -> str:
    short = key_id if len(key_id) <= _LONGEST_ID else f"{key_id[: _LONGEST_ID - 1]}…"
    return short if values is None else f"{short} ({values.get(key_id, 0)} values)"


def audit_command(data_dir: DataDir, action: str, name: str, reason: str) -> None:
    """Write an event of an operator's command into the audit."""
    # It takes a while to import; other commands need none.
    from jupyter_ext.audit.audit import Audit, AuditError
    from jupyter_ext.audit.audit_event import Actor, AuditEvent, Kind, Outcome

    audit = Audit(file=str(data_dir.audit_file("command")), server_kind="command")
    try:
        audit.start()
    except AuditError as error:
        raise FleetError(f"{name}: that was done, but {error}") from error
    actor = Actor("operator", user_name(os.geteuid()))
    audit.record(
        AuditEvent(action, Kind.CHANGE, Outcome.ALLOWED, actor, {"name": name}, reason=reason)
    )
    audit.close()


def drop_due(data_dir: DataDir, settings: Settings, say: Callable[[str], None]) -> None:
    """What a supervisor does again and again: forget older keys whose time is over."""
    rotation = SecretRotation(data_dir, settings)
    for key in KEYS.values():
        try:
            if not rotation.has_due(key):
                continue
            with data_dir.locked():
                dropped = rotation.drop(key, at_once=False)
        except FleetError as error:
            # Next time.
            say(str(error))
            continue
        done = f"no longer accepted: {', '.join(dropped)}"
        say(f"{key.name}: {done}")
        audit_command(data_dir, "secrets.drop", key.name, done)
