"""What a page does besides what it shows: errors in its console, requests to other hosts, faults of accessibility."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, expect

from tests.browser.chromium import AXE

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_SERIOUS = {"serious", "critical"}
_BUSY = "[aria-busy=true], .spinner"
_RUN_AXE = "() => axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)"


@dataclass(slots=True)
class Watched:
    """A page; complaints: errors of its console; foreign: addresses of other hosts that it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def expect_complaint(self, part: str) -> None:
        """Take back the complaints that a test provokes, such as the 404 that it asks for; fails without one."""
        kept = [complaint for complaint in self.complaints if part not in complaint]
        assert len(kept) < len(self.complaints), f"no complaint has {part!r}: {self.complaints}"
        self.complaints[:] = kept


def watch(page: Page) -> Watched:
    """Watch a page from now on."""
    seen = Watched(page)

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            seen.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def on_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname not in _LOOPBACK:
            seen.foreign.append(request.url)

    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.complaints.append(f"thrown: {error}"))
    page.on("request", on_request)
    return seen


def expect_loaded(page: Page) -> None:
    """Wait until nothing on the page says that it is still on its way."""
    expect(page.locator(_BUSY)).to_have_count(0)


def accessibility_faults(page: Page) -> list[str]:
    """What axe finds serious or critical on the page as it is now: the rule, why, and where."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(_RUN_AXE)
    return [
        f"{fault['id']}: {fault['help']} at {', '.join(str(node['target'][0]) for node in fault['nodes'][:5])}"
        for fault in found
        if fault["impact"] in _SERIOUS
    ]
