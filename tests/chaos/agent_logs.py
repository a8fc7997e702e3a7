"""What the agents' own logs prove about who acted on a kernel."""

import re
from collections.abc import Iterable

_OBEYS = re.compile(r"gateway (?P<url>\S+), epoch (?P<epoch>\d+)$")
_ENDS = re.compile(r"gateway (?P<url>\S+): connection ended$")
_COMMAND = re.compile(r"epoch (?P<epoch>\d+): (?P<command>\w+)$")


_STARTS = "agent started"


def violations(lines: Iterable[str]) -> list[str]:
    """Where an agent obeyed two gateways at once, an older epoch than before, or a command of
    somebody else than its gateway. `lines` are those of one agent's log, in order."""
    found = []
    highest, obeyed = 0, None
    for line in lines:
        text = line.rstrip()
        if _STARTS in text:
            # Another process: the one before was killed, and cannot have said that it left.
            obeyed = None
        elif begun := _OBEYS.search(text):
            epoch = int(begun["epoch"])
            if obeyed is not None:
                found.append(f"obeys {begun['url']} while it obeys {obeyed}")
            if epoch <= highest:
                found.append(f"obeys epoch {epoch} after {highest}")
            highest, obeyed = max(epoch, highest), begun["url"]
        elif ended := _ENDS.search(text):
            if ended["url"] != obeyed:
                found.append(f"{ended['url']} ends while {obeyed} is obeyed")
            obeyed = None
        elif command := _COMMAND.search(text):
            in_turn = obeyed is not None and int(command["epoch"]) == highest
            if not in_turn:
                found.append(f"{command['command']} with epoch {command['epoch']}, not {highest}")
    return found
