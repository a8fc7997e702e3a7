"""JupyterLab in a browser page, driven the way a person uses it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from playwright.sync_api import FrameLocator, Locator, Page, WebSocket, expect

T = TypeVar("T")

PATIENCE_MS = 60_000
"""How long a page may take for any one step on a loaded machine."""
# Playwright's own 5 s are short for a big notebook on a busy machine.
expect.set_options(timeout=PATIENCE_MS)


def wait_for(what: str, probe: Callable[[], T | None], timeout: float) -> T:
    """Ask `probe` until it returns something true; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(0.1)


class LabPage:
    """One browser page with JupyterLab in it."""

    def __init__(self, page: Page, url: str):
        """`url`: where this page's JupyterLab is, without a slash at its end."""
        self.page = page
        self.url = url
        page.set_default_timeout(PATIENCE_MS)
        self.kernel_sockets = 0
        """How many websockets to kernels the page has opened so far."""
        self.clock_is_real = True
        self._open_sockets: set[WebSocket] = set()
        page.on("websocket", self._count)

    def _count(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            self.kernel_sockets += 1
            self._open_sockets.add(socket)
            socket.on("close", lambda closed: self._open_sockets.discard(closed))

    def take_clock(self) -> None:
        """Give the page a clock that goes when a test says so (`page.clock`)."""
        self.clock_is_real = False
        self.page.clock.install()

    def kernel_lost(self) -> bool:
        """Whether the page has seen the websocket of its only kernel close and not opened another.

        Waits a little for the browser to tell.
        """
        self.page.wait_for_timeout(20)
        return not self._open_sockets

    def log_in(self, token: str) -> None:
        """Follow a login link, as the platform would give it, and wait until JupyterLab runs."""
        self.page.goto(f"{self.url}/login?token={token}", wait_until="domcontentloaded")
        self.ready()

    def sign_in(self, token: str) -> None:
        """Sign in without loading JupyterLab, which takes seconds: opening a path does that."""
        self.page.goto(f"{self.url}/login?token={token}&next=/login%3Fdone")
        expect(self.page.locator("h1")).to_contain_text("You are signed in as")

    def open_path(self, path: str = "") -> None:
        """Open a file, or with no path the launcher, in a workspace that was never used."""
        workspace = f"{self.url}/lab/workspaces/{uuid.uuid4().hex[:12]}"
        self.page.goto(
            f"{workspace}/tree/{path}" if path else workspace, wait_until="domcontentloaded"
        )
        self.ready()

    def ready(self) -> None:
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0, timeout=PATIENCE_MS)
        expect(self.page.locator("#jp-main-dock-panel")).to_be_visible(timeout=PATIENCE_MS)

    # Notebooks

    def new_notebook(self) -> str:
        """Click the launcher's first kernel; return the name of the notebook that opens."""
        self.page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
        tab = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
        expect(tab).to_contain_text(".ipynb")
        self.wait_for_kernel()
        self.wait_for_language()
        return tab.inner_text().strip()

    def open_without_kernel(self, path: str) -> None:
        """Open a notebook that names no kernel, and start none."""
        self.open_path(path)
        expect(self.dialog).to_contain_text("Select Kernel")
        self.choose("No Kernel")

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is connected: JupyterLab does not run cells before."""
        expect(self.page.locator("#jp-bottom-panel")).to_contain_text(
            re.compile(r"\| (Idle|Busy)"), timeout=PATIENCE_MS
        )

    def wait_for_language(self) -> None:
        """Wait until the notebook in front knows its kernel's language.

        That is a change of it. Where a kernel answers late, which is idle by the server's word, the
        notebook is changed once more after it was saved.
        """
        editor = self.notebook.locator(".jp-CodeCell .cm-content").first
        expect(editor).to_have_attribute("data-language", re.compile("."))

    @property
    def notebook(self) -> Locator:
        """The notebook that is in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def cell(self, index: int) -> Locator:
        return self.notebook.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def mark(self) -> None:
        """Leave a mark that a reload would wipe out."""
        self.page.evaluate("window.fleetMark = true")

    @property
    def reloaded(self) -> bool:
        """Whether the page was loaded again since `mark`."""
        return not self.page.evaluate("window.fleetMark === true")

    def write(self, index: int, source: str) -> None:
        """Replace the source of a cell by typing over it (in one line)."""
        editor = self.cell(index).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def run(self, index: int, source: str) -> None:
        """Type `source` into a cell and run it; a cell below is there afterwards."""
        self.write(index, source)
        self.page.keyboard.press("Shift+Enter")

    def prompt(self, index: int) -> str:
        """The cell's prompt: `[ ]:`, `[*]:` or, when its reply has come, `[3]:`."""
        return self.cell(index).locator(".jp-InputPrompt").inner_text().strip()

    def has_reply(self, index: int) -> bool:
        return re.search(r"\[\d+\]", self.prompt(index)) is not None

    def output(self, index: int) -> str:
        """All output of a cell as text."""
        areas = self.cell(index).locator(".jp-OutputArea-output")
        return "".join(areas.all_inner_texts())

    def framed(self, index: int) -> FrameLocator:
        """What of a cell's output is drawn without the page's origin."""
        return self.cell(index).frame_locator(".jp-fleet-OutputFrame > iframe")

    def evaluate(self, index: int, source: str, timeout: float = 60) -> str:
        """Run `source` and return its output when its reply is there."""
        self.run(index, source)
        wait_for(f"the reply to {source!r}", lambda: self.has_reply(index), timeout)
        return self.output(index).strip()

    # Menus

    def open_menu(self, name: str) -> Locator:
        """Open a menu of the menu bar; the labels of its entries."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{name}$")).click()
        labels = self.page.locator(".lm-Menu-itemLabel")
        expect(labels.first).to_be_visible()
        return labels

    def choose_in_menu(self, name: str, entry: str) -> None:
        """Click an entry of a menu of the menu bar, by the beginning of its label."""
        self.open_menu(name).filter(has_text=re.compile(f"^{entry}")).click()

    def choose_in_submenu(self, name: str, submenu: str, entry: str) -> None:
        """Click an entry of a menu below an entry of a menu of the menu bar."""
        self.choose_in_menu(name, f"{submenu}$")
        labels = self.page.locator(".lm-Menu-itemLabel")
        labels.filter(has_text=re.compile(f"^{entry}")).click()

    def choose_in_palette(self, label: str) -> None:
        """Run a command by the palette, with the focus where it is."""
        palette = self.page.locator(".lm-CommandPalette:visible")

        def opened() -> bool:
            # JupyterLab drops keys while it moves the focus to a new document.
            self.page.keyboard.press("Control+Shift+C")
            return palette.count() > 0

        wait_for("the palette", opened, PATIENCE_MS / 1000)
        palette.locator("input").fill(label)
        palette.locator(".lm-CommandPalette-item", has_text=label).first.click()

    def trust(self) -> None:
        """Trust the notebook in front by JupyterLab's command, and say so when it asks."""
        self.choose_in_palette("Trust Notebook")
        self.dialog.locator("button.jp-mod-accept").click()

    # Files

    def listed(self, name: str) -> Locator:
        """A file or folder in the list of the file browser."""
        text = self.page.locator(
            ".jp-DirListing-itemText", has_text=re.compile(f"^{re.escape(name)}$")
        )
        return self.page.locator(".jp-DirListing-item", has=text)

    def delete_listed(self, name: str) -> None:
        """Delete a file by its menu in the file browser, and confirm that."""
        self.choose_for_listed(name, "Delete")
        self.dialog.locator("button.jp-mod-warn").click()

    def choose_for_listed(self, name: str, entry: str) -> None:
        """Choose an entry of the menu of a file in the file browser."""
        self.listed(name).click(button="right")
        labels = self.page.locator(".lm-Menu-itemLabel")
        labels.filter(has_text=re.compile(f"^{entry}$")).click()

    @property
    def editor(self) -> Locator:
        """The text of the file editor that is in front."""
        return self.page.locator(".jp-FileEditor:not(.lm-mod-hidden) .cm-content")

    def write_text(self, text: str) -> None:
        self.editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def save(self) -> None:
        self.page.keyboard.press("Control+S")

    @property
    def dirty(self) -> bool:
        """Whether the document in front has changes that are not saved (the dot in its tab)."""
        tab = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
        return "jp-mod-dirty" in (tab.get_attribute("class") or "")

    def rename_current(self, name: str) -> None:
        """Rename the document in front by the menu of its tab."""
        tab = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
        tab.click(button="right")
        self.page.locator(".lm-Menu-itemLabel").filter(has_text=re.compile("^Rename")).click()
        field = self.dialog.locator("input")
        field.fill(name)
        field.press("Enter")
        expect(tab).to_contain_text(name)

    def choose_theme(self, name: str) -> None:
        """Change the theme in the settings menu; return when the server has it."""
        menu = self.page.locator(".lm-Menu-itemLabel")
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Settings").click()
        menu.filter(has_text=re.compile("^Theme$")).click()
        with self.page.expect_response(
            lambda answer: answer.request.method == "PUT" and "/lab/api/settings" in answer.url
        ):
            menu.filter(has_text=re.compile(f"^{name}$")).click()
        self.expect_theme(name)

    def expect_theme(self, name: str) -> None:
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", name)

    @property
    def dialog(self) -> Locator:
        return self.page.locator(".jp-Dialog")

    def choose(self, button: str) -> None:
        """Click a button of the open dialog and see the dialog go."""
        self.dialog.locator("button").filter(has_text=re.compile(f"^{button}$")).click()
        expect(self.dialog).to_have_count(0)


OpenPage = Callable[[str, str], LabPage]
"""Opens a page at an address for whom a token names."""
