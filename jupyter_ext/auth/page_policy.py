"""What the pages of a lab may load and where they may send, whatever gets into them."""

from __future__ import annotations


def page_policy(report_uri: str) -> str:
    """The Content-Security-Policy of JupyterLab's pages; violations are sent to `report_uri`.

    Nothing is loaded from or sent to other ports of the fleet's own host, since browsers send its
    cookies to all of them, and anybody's kernel may listen there. Scripts are not restricted: plots
    and widgets that a user has made are scripts in the page.
    """
    return "; ".join(
        [
            "base-uri 'none'",
            "connect-src 'self' data: blob: https:",
            "form-action 'self'",
            "frame-ancestors 'self'",
            "img-src 'self' data: blob: https:",
            # JupyterLab shows PDF files so.
            "object-src blob:",
            "worker-src 'self' blob:",
            f"report-uri {report_uri}",
        ]
    )
