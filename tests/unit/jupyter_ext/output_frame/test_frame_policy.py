"""What the page for outputs may do."""

from jupyter_ext.output_frame.frame_handler import frame_page
from jupyter_ext.output_frame.frame_policy import frame_headers


def policy(*, web: bool) -> dict[str, list[str]]:
    parts = frame_headers(web=web)["Content-Security-Policy"].split("; ")
    return {words[0]: words[1:] for words in (part.split() for part in parts)}


def test_the_page_has_no_origin_opens_no_window_and_sends_no_form() -> None:
    for web in (True, False):
        assert policy(web=web)["sandbox"] == ["allow-scripts"]
        assert policy(web=web)["form-action"] == ["'none'"]
        assert policy(web=web)["base-uri"] == ["'none'"]
        assert policy(web=web)["default-src"] == ["'none'"]
        assert policy(web=web)["webrtc"] == ["'block'"]


def test_nothing_is_loaded_from_the_fleet_or_without_tls() -> None:
    for web in (True, False):
        loading = {
            source
            for name, values in policy(web=web).items()
            if name != "frame-ancestors"
            for source in values
        }
        assert not loading & {"'self'", "http:", "ws:", "*"}
        assert ("https:" in loading) is web


def test_only_the_fleets_own_pages_show_it() -> None:
    assert policy(web=True)["frame-ancestors"] == ["'self'"]


def test_it_can_be_cached_and_tells_nobody_where_it_is() -> None:
    headers = frame_headers(web=True)
    assert headers["Cache-Control"].startswith("public")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "clipboard-read=()" in headers["Permissions-Policy"]


def test_the_page_holds_its_style_and_script() -> None:
    page = frame_page()
    assert "{css}" not in page
    assert "{js}" not in page
    assert page.count("<script>") == page.count("</script>") == 1
    assert "src=" not in page.split("<script>")[0]
