"""What the page for outputs may do: run scripts, without an origin, and load from the web."""

from __future__ import annotations

# Without `allow-popups` (a popup is a page that carries cookies to each port of the host),
# `allow-forms`, `allow-top-navigation` and `allow-same-origin`. It is a header as well as an
# attribute of the frame, for people who open the address itself.
_SANDBOX = "sandbox allow-scripts"
_SHUT = (
    "accelerometer",
    "autoplay",
    "camera",
    "clipboard-read",
    "clipboard-write",
    "display-capture",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)


def frame_headers(*, web: bool, shown_by: str = "'self'") -> dict[str, str]:
    """The headers of the page for outputs.

    `web`: whether outputs may load scripts, styles, images, fonts and data by HTTPS, as plots do
    that take their library from a content delivery network.
    `shown_by`: the origin of the pages that may show it, in the words of a policy.
    """
    https = " https:" if web else ""
    policy = (
        _SANDBOX,
        "default-src 'none'",
        f"script-src 'unsafe-inline' 'unsafe-eval' blob: data:{https}",
        f"style-src 'unsafe-inline'{https}",
        f"img-src data: blob:{https}",
        f"font-src data:{https}",
        f"media-src data: blob:{https}",
        f"connect-src data: blob:{https}",
        "worker-src blob:",
        # No other directive is about peer connections. Chromium 156 ignores it, and says so.
        "webrtc 'block'",
        f"frame-src data: blob:{https}",
        "form-action 'none'",
        "base-uri 'none'",
        f"frame-ancestors {shown_by}",
    )
    return {
        "Cache-Control": "public, max-age=3600",
        "Content-Security-Policy": "; ".join(policy),
        "Content-Type": "text/html; charset=utf-8",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _SHUT),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
