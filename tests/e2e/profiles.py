"""Browser profiles for pages of tests."""

from __future__ import annotations

from playwright.sync_api import Browser, BrowserContext

FORGOTTEN = "cookies,local_storage,indexeddb,service_workers,cache_storage"


class Profiles:
    """Each page has a profile that nothing else uses meanwhile.

    Who is done with one gives it back, and the next gets it with nothing but what the browser has
    cached of the page's files: loading and compiling all of JupyterLab again takes as long as a
    short test.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: list[BrowserContext] = []
        self._closed = set[BrowserContext]()

    def take(self) -> BrowserContext:
        if self._idle:
            return self._idle.pop()
        context = self._browser.new_context(viewport={"width": 1280, "height": 900})
        context.on("close", lambda closed: self._closed.add(closed))
        return context

    def give_back(self, context: BrowserContext) -> None:
        """Not with a clock that a test moves: nothing gives a profile the real one back."""
        if context in self._closed:
            return
        context.set_offline(False)
        context.unroute_all()
        for page in context.pages:
            page.close()
        page = context.new_page()
        devtools = context.new_cdp_session(page)
        devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": FORGOTTEN})
        page.close()
        context.clear_cookies()
        self._idle.append(context)
