"""What the log says of a browser's report."""

import json

import pytest

from jupyter_ext.auth.csp_reports import summary


def test_a_report_is_one_short_line() -> None:
    report = {
        "document-uri": "https://fleet/lab\n[I 2026-01-01] User eve logged in.",
        "violated-directive": "connect-src",
        "blocked-uri": "https://evil.example/" + "x" * 5000,
        "original-policy": "y" * 5000,
    }
    line = summary(json.dumps({"csp-report": report}).encode())
    assert line.startswith("document-uri 'https://fleet/lab\\n[I 2026")
    assert "violated-directive 'connect-src'" in line
    assert len(line) < 800
    assert line.isprintable()


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"csp-report": []}'])
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="a report is an object"):
        summary(body)


@pytest.mark.parametrize("body", [b"", b"x\n[I 2026] forged"])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        summary(body)


def test_values_of_other_types_are_left_out() -> None:
    assert summary(b'{"csp-report": {"blocked-uri": {"a": 1}, "document-uri": "x"}}') == (
        "document-uri 'x'"
    )
