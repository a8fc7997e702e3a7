"""Tab completion of `%xgb_ray`."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway_ext.xgb_ray.errors import XGBRayError
from gateway_ext.xgb_ray.notebook.arguments import expand, make_parser
from gateway_ext.xgb_ray.rayjob.settings import JOB_SETTINGS

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

NAMES = ("%xgb_ray", "%%xgb_ray")


def matcher(shell: InteractiveShell) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """A matcher for `IPCompleter.custom_matchers`. Unlike IPython's hook for magics it keeps
    Python's own names out of the list."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="xgb_ray")
    def match(context: CompletionContext) -> SimpleMatcherResult:
        line = context.text_until_cursor
        word = "" if line[-1:].isspace() else line.split()[-1] if line.split() else ""
        found = complete(shell, line) if line.lstrip().startswith(NAMES) else []
        return {
            "completions": [
                SimpleCompletion(text=one, type="magic") for one in found if one.startswith(word)
            ],
            "matched_fragment": word,
            "suppress": True,
            "ordered": True,
        }

    return match


def complete(shell: InteractiveShell, text: str) -> list[str]:
    """What may stand where the line `text` ends: commands, then the options of the command, then
    columns of `--data`."""
    words = text.replace("%%xgb_ray", "", 1).replace("%xgb_ray", "", 1).split()
    parser = make_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    if not words or (len(words) == 1 and not text.endswith(" ")):
        return list(commands)
    chosen = commands.get(words[0])
    if chosen is None:
        return []
    previous = words[-1] if text.endswith(" ") else (words[-2] if len(words) > 1 else "")
    if previous in (
        "-l",
        "--label",
        "--weight",
        "--qid",
        "--keep",
        "--prediction",
        "--base-margin",
    ):
        return _columns_of(words, shell)
    if previous in ("-d", "--data", "-m", "--model", "--calibration"):
        return [f"${n}" for n in shell.user_ns if not n.startswith("_")]
    if previous == "--job":
        return [f"{name}=" for name in JOB_SETTINGS]
    if previous == "--cluster":
        return ["local", "auto", "ray://", "rayjob"]
    for action in chosen._actions:
        if previous in action.option_strings and action.choices:
            return [str(c) for c in action.choices]
    return [o for action in chosen._actions for o in action.option_strings]


def _columns_of(words: Sequence[str], shell: InteractiveShell) -> list[str]:
    """The columns of the data that is on the line, if it can be told at once."""
    for flag, value in itertools.pairwise(words):
        if flag not in ("-d", "--data"):
            continue
        try:
            data = expand(value, shell.user_ns)
            if isinstance(data, str):
                from gateway_ext.xgb_ray.data.sources import open_source

                return list(open_source(data, "data").schema.names)
            return [str(c) for c in getattr(data, "column_names", None) or data.columns]
        except (XGBRayError, AttributeError, OSError):
            return []
    return []
