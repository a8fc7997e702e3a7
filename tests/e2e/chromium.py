"""Chromium without a window, as all tests and measurements start it."""

import shutil

from playwright.sync_api import Browser, Playwright

# The same engine as in `chromium --headless`, without what draws a browser around pages: a page
# of JupyterLab opens with three quarters of the processor time.
NAME = "chromium-headless-shell"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # Sites with names, for tests of what one may do to another.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
]


def launch(playwright: Playwright, *flags: str) -> Browser:
    program = shutil.which(NAME)
    if program is None:
        raise FileNotFoundError(f"{NAME} is missing: apt-get install {NAME}, or put it in PATH")
    return playwright.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *flags])
