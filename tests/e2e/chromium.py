"""Chromium without a window, as all tests and measurements start it."""

from playwright.sync_api import Browser, Playwright

# The same engine as in `chromium --headless`, without what draws a browser around pages: a page
# of JupyterLab opens with three quarters of the processor time.
PROGRAM = "/usr/bin/chromium-headless-shell"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=PROGRAM, headless=True, args=FLAGS)
