"""What went wrong, from the many lines that spark-submit prints."""

import re

LONGEST_CAUSE = 500
_WHOLE_OUTPUT = 32_000
"""Characters: shorter ones are certain to have their beginning (`submit_logs.end_of`)."""

# "26/11/27 15:24:43 INFO Client: ", and what the JVM puts before what ends its main thread.
_PREFIX = re.compile(r"^\d\d(?:\d\d)?[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d(?:[.,]\d+)? ([A-Z]+) \S+: ")
_THREAD = re.compile(r'^(?:Exception in thread "[^"]*"|Caused by:) ')
# One or more names of exceptions, each with a colon, before the message.
_CLASSES = re.compile(r"^(?:(?:[a-z]\w*\.)+[A-Z][\w$]*(?:\((?:[\w$]+\.)+[\w$]+\))?(?:: |$))+")
_INNER_CLASS = re.compile(r": (?:[a-z]\w*\.)+[A-Z]\w*: ")
_RETRY = re.compile(r"Retrying connect to server: (?P<server>[^ ]+?)\.? Already tried")
_NOISE = (
    re.compile(r"^Failed to submit application_\d+_\d+ to YARN : "),
    # YARN says the beginning twice.
    re.compile(r"^(Application application_\d+_\d+ submitted by user .+?)(?=\1)"),
    re.compile(r"^ERROR: "),
)
_WIKI = re.compile(r";? *For more details see: +\S+")
_STACK = re.compile(r"^(?:\s+at |\s*\.\.\. \d+ more)")


def cause(output: str) -> str:
    """Why spark-submit failed, in one line without names of classes; empty if it does not say.

    That is the message of the exception that ended it, or the first one among its causes that has a
    message; else an error of its own; else that it could not reach a server; else its last
    line.
    """
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    found = _exception(lines) or _error(lines) or _retries(lines)
    if not found:
        rest = [line for line in lines if not _STACK.match(line)]
        found = _PREFIX.sub("", rest[-1]) if rest else ""
    return " ".join(found.split())[:LONGEST_CAUSE]


def submits_nothing(output: str) -> bool:
    """Whether a spark-submit that failed certainly submitted no application: it writes what it does
    line by line, and has not come so far that YARN gave it an application's id. Where it writes
    only errors, or so much that its beginning is missing, that is not certain."""
    lines = output.splitlines()
    if len(output) > _WHOLE_OUTPUT or "application_" in output:
        return False
    levels = [found.group(1) for found in map(_PREFIX.match, lines) if found is not None]
    # What it does not even understand it says without a log.
    return "INFO" in levels or any(line.startswith(("Error:", "error:")) for line in lines)


def _exception(lines: list[str]) -> str:
    """The message of the last exception that ended the program."""
    begin = max(
        (number for number, line in enumerate(lines) if line.startswith("Exception in thread ")),
        default=None,
    )
    if begin is None:
        return ""
    for line in lines[begin:]:
        if _THREAD.match(line):
            message = _message(_THREAD.sub("", line))
            if message:
                return message
    return ""


def _message(text: str) -> str:
    for noise in _NOISE:
        text = noise.sub("", _CLASSES.sub("", text))
    return _WIKI.sub("", _INNER_CLASS.sub(": ", _CLASSES.sub("", text))).strip()


def _error(lines: list[str]) -> str:
    """What spark-submit says itself, without an exception."""
    for line in reversed(lines):
        level = _PREFIX.match(line)
        if level is not None and level.group(1) in ("ERROR", "FATAL"):
            return _message(_PREFIX.sub("", line))
        if line.startswith(("Error:", "error:")):
            return line.partition(":")[2].strip()
    return ""


def _retries(lines: list[str]) -> str:
    for line in reversed(lines):
        retry = _RETRY.search(line)
        if retry is not None:
            return f"no server of the cluster answers at {retry.group('server')}"
    return ""
