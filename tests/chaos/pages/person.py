"""A person with a browser, who opens one notebook and answers the dialogs that appear."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from tests.chaos.pages.contender import Contender

PATIENCE = 120.0
"""Seconds after which a person gives a page up."""
LOOK = 0.2
OPEN_WAIT = 20.0
RELOADS = 4

# JupyterLab shows its application to scripts if the configuration in the page says so.
EXPOSE = """
if (window === top) new MutationObserver((_, observer) => {
  const config = document.getElementById('jupyter-config-data');
  if (config && config.textContent.trim().endsWith('}')) {
    observer.disconnect();
    const data = JSON.parse(config.textContent);
    data.exposeAppInBrowser = 'true';
    config.textContent = JSON.stringify(data);
  }
}).observe(document, { childList: true, subtree: true });
window.longestTask = 0;
if (window === top) new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    window.longestTask = Math.max(window.longestTask, entry.duration);
  }
}).observe({ entryTypes: ['longtask'] });
"""
FIND = """
const app = window.jupyterapp;
const widgets = app ? [...app.shell.widgets('main')] : [];
const panel = widgets.find(w => w.context && w.content && w.content.widgets);
const cells = panel && panel.context.isReady ? panel.content.widgets : null;
"""
READ = f"""index => {{
{FIND}
  if (!cells || !cells[index]) return null;
  const cell = cells[index];
  const connection = panel.sessionContext.session && panel.sessionContext.session.kernel;
  return {{
    outputs: cell.model.toJSON().outputs,
    count: cell.model.executionCount,
    prompt: cell.node.querySelector('.jp-InputPrompt').innerText.trim(),
    dirty: panel.context.model.dirty,
    kernel: connection ? connection.status + ' ' + connection.connectionStatus : 'none',
  }};
}}"""
LAST_OUTPUTS = f"""([index, outputs, characters]) => {{
{FIND}
  const all = cells && cells[index] ? cells[index].model.outputs : [];
  const texts = [];
  for (let at = Math.max(0, all.length - outputs); at < all.length; at += 1) {{
    const {{ text, data }} = all.get(at).toJSON();
    texts.push([text ?? data?.['text/plain'] ?? ''].flat().join('').slice(-characters));
  }}
  return texts.join('\\n');
}}"""
TEXT = f"""index => {{
{FIND}
  return cells && cells[index] ? cells[index].node.innerText : null;
}}"""


@dataclass(frozen=True)
class Cell:
    """A cell as the page has it."""

    outputs: list[dict[str, Any]]
    count: int | None
    prompt: str
    dirty: bool
    """Of the notebook."""
    kernel: str
    """Its state and that of the connection."""

    @property
    def has_ended(self) -> bool:
        """Whether the page shows the end of a run."""
        return self.count is not None and "*" not in self.prompt


class Person:
    """Has at most one page open. `log` gets a line for what is worth knowing later."""

    def __init__(
        self,
        browser: Browser,
        contender: Contender,
        path: str,
        log: Callable[[str], None],
        script: str = "",
    ) -> None:
        """`script` runs in the page before its own."""
        self._script = EXPOSE + script
        self._browser = browser
        self._contender = contender
        self._path = path
        self._log = log
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self.dialogs: Counter[str] = Counter()
        """Titles of the dialogs that were answered."""
        self.console: list[str] = []

    @property
    def page(self) -> Page:
        """The open page."""
        assert self._page is not None, "no page is open"
        return self._page

    def open(self) -> None:
        """Open the notebook in a browser that was never here."""
        self.close()
        self._context = self._browser.new_context(viewport={"width": 1280, "height": 900})
        self._context.add_init_script(self._script)
        page = self._page = self._context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("dialog", lambda dialog: dialog.accept())
        page.on("console", lambda m: self.console.append(f"{m.type}: {m.text[:400]}"))
        page.on("pageerror", lambda error: self.console.append(f"error: {str(error)[:400]}"))
        self._show(lambda: page.goto(self._contender.entry(self._path), wait_until="commit"))

    def reload(self) -> None:
        """Load the page again in the same tab. If the notebook is not in it, open it."""
        self._show(lambda: self.page.reload(wait_until="commit"))

    def _show(self, load: Callable[[], object]) -> None:
        """Load, and wait for the notebook; what a person does whose page stays empty."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                load()
            except PlaywrightError as error:
                self._log(f"page: {str(error).splitlines()[0]}")
                self.page.wait_for_timeout(500)
            else:
                if self._wait(lambda: self.read() is not None, OPEN_WAIT):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page does not show {self._path}")
            address = self._contender.entry(self._path)

            def load(address: str = address) -> object:
                return self.page.goto(address, wait_until="commit")

    def close(self) -> None:
        """Close the browser."""
        if self._context is not None:
            self._context.close()
        self._context = self._page = None

    def pause(self, seconds: float) -> None:
        """Do nothing but answer dialogs."""
        self._wait(lambda: False, seconds)

    def wait(
        self,
        what: str,
        condition: Callable[[], bool],
        seconds: float = PATIENCE,
        *,
        look: float = LOOK,
    ) -> None:
        """Look every `look` seconds and answer dialogs; TimeoutError after `seconds`."""
        if not self._wait(condition, seconds, look):
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}")

    def _wait(self, condition: Callable[[], bool], seconds: float, look: float = LOOK) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            self._answer_dialog()
            if condition():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if self._page is None:
                time.sleep(min(left, look))
            else:
                self._page.wait_for_timeout(1000 * min(left, look))

    def _answer_dialog(self) -> None:
        if self._page is None:
            return
        try:
            dialog = self._page.locator(".jp-Dialog").last
            if not dialog.is_visible():
                return
            title = dialog.locator(".jp-Dialog-header").all_inner_texts()
            text = " ".join(dialog.inner_text(timeout=1000).split())[:300]
            buttons = dialog.locator("button.jp-Dialog-button")
            # A person keeps what the page shows.
            wanted = buttons.filter(has_text="Overwrite")
            button = wanted if wanted.count() else dialog.locator("button.jp-mod-accept")
            (button if button.count() else buttons).last.click(timeout=1000)
        except PlaywrightError:
            return
        self.dialogs[(title or [""])[0].strip() or text[:40]] += 1
        self._log(f"dialog: {text}")

    def read(self, cell: int = 0) -> Cell | None:
        """A cell as the page has it; None where there is no page or it is not shown."""
        found = self._evaluate(READ, cell)
        return None if found is None else Cell(**found)

    def text(self, cell: int = 0) -> str:
        """What the page shows of a cell."""
        return self._evaluate(TEXT, cell) or ""

    def last_outputs(self, cell: int = 0, outputs: int = 20, characters: int = 200) -> str:
        """The ends of the last outputs that the page has of a cell, shown or not."""
        return self._evaluate(LAST_OUTPUTS, [cell, outputs, characters]) or ""

    def _evaluate(self, script: str, argument: int | list[int]) -> Any:
        if self._page is None:
            return None
        try:
            return self._page.evaluate(script, argument)
        except PlaywrightError:
            return None

    def forget_tasks(self) -> None:
        """From now on count the page's tasks anew."""
        self.page.evaluate("window.longestTask = 0")

    def longest_task(self) -> float:
        """Milliseconds of the page's longest task since it was loaded, or since `forget_tasks`."""
        return float(self.page.evaluate("window.longestTask"))

    def wait_for_kernel(self) -> None:
        """Wait until cells can be run."""

        def connected() -> bool:
            cell = self.read()
            return cell is not None and cell.kernel in ("idle connected", "busy connected")

        # Stock pages may never hear of a kernel that was still starting when they connected.
        for _ in range(RELOADS):
            if self._wait(connected, PATIENCE / RELOADS):
                return
            self._log("no kernel: the page is loaded again")
            self.reload()
        self.wait("the kernel", connected, PATIENCE / RELOADS)

    def write(self, cell: int, source: str) -> None:
        """Type over the text of a cell."""
        editor = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def run(self, cell: int = 0) -> None:
        """Run a cell and stay in it."""
        self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")

    def run_all(self, cells: int) -> None:
        """Run the first cells, one key press for each, without waiting for anything."""
        self.page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content").click()
        for _ in range(cells):
            self.page.keyboard.press("Shift+Enter")

    def save(self) -> None:
        """Press the keys that save."""
        self.page.keyboard.press("Control+S")
