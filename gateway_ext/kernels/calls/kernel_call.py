"""What describes a call that kernels may make."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator

from gateway_ext.ownership.records import KernelRecord

_MESSAGE_CHARACTERS = 300


class CallRefused(Exception):
    """A call is not carried out; `status` has the meaning that it has in HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class KernelCall:
    """One call. `arguments` is the JSON Schema of its arguments, `longest` how many bytes its frame
    may have, `seconds` how long it may take.

    An `idempotent` call is sent again to the next owner if this gateway ends before it answers.
    `handler` gets the record of the kernel that asks, and valid arguments. It acts as the record's
    project and user and for nobody else. It may raise CallRefused.
    """

    name: str
    arguments: Mapping[str, Any]
    longest: int
    seconds: float
    idempotent: bool
    handler: Callable[[KernelRecord, Mapping[str, Any]], Awaitable[dict[str, Any]]]

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.arguments)

    def check(self, arguments: object) -> Mapping[str, Any]:
        """The arguments; raises CallRefused if they do not fit."""
        error = next(self._validator.iter_errors(arguments), None)
        if error is not None or not isinstance(arguments, dict):
            where = "".join(f".{step}" for step in error.path) if error is not None else ""
            message = error.message if error is not None else "they must be an object"
            raise CallRefused(400, f"arguments{where}: {message}"[:_MESSAGE_CHARACTERS])
        return arguments
