"""The addresses of a host name for frames alone."""

import pytest

from jupyter_ext.output_frame.frame_host import FrameAddressError, frame_address

PAGE = "https://fleet.example"


def test_frames_have_a_host_and_a_page_that_shows_them() -> None:
    assert frame_address("https://frames.example", PAGE) == (
        "frames.example",
        "https://fleet.example",
    )
    assert frame_address("http://Frames.example:8080/", "http://fleet.example:8888") == (
        "frames.example",
        "http://fleet.example:8888",
    )


@pytest.mark.parametrize(
    ("frame", "page", "why"),
    [
        ("frames.example", PAGE, "no address of a host"),
        ("https://frames.example/fleet", PAGE, "without a path"),
        ("ftp://frames.example", PAGE, "no address of a host"),
        ("https://frames.example:port", PAGE, "no address of a host"),
        ("https://frames.example", "", "needs FleetIdentityProvider.public_url"),
        ("https://fleet.example:8443", PAGE, "another host name"),
        ("http://frames.example", PAGE, "give both the same"),
    ],
)
def test_addresses_that_cannot_work_are_refused_with_the_reason(
    frame: str, page: str, why: str
) -> None:
    with pytest.raises(FrameAddressError, match=why):
        frame_address(frame, page)
