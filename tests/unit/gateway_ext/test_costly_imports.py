"""A gateway's environment has nothing that makes each of its starts slow."""

import sys

import jsonschema


def test_jsonschema_compiles_no_grammars_when_a_gateway_starts() -> None:
    """With rfc3987-syntax installed it compiles 35, for formats that no schema here uses."""
    assert jsonschema.FormatChecker().checkers
    assert "rfc3987_syntax" not in sys.modules
