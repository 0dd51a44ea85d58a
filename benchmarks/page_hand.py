"""A hand on the page: it does what a person does with mouse and keyboard, counts it, and takes the time.

What it presses is counted a second time by the page itself, so that nothing can be done beside it.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, FloatRect, Locator, Page

_COUNT = """addEventListener("pointerdown", (event) => event.isTrusted && window.pressed(), { capture: true });"""
_HAS_FOCUS = "element => element === document.activeElement"
_CHOOSE = """(field, value) => {
  field.value = value;
  field.dispatchEvent(new InputEvent("input", { inputType: "insertReplacementText", bubbles: true }));
}"""
_DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, content] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  for (const kind of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


class Hand:
    """clicks: of the mouse, also those that bring the cursor into a field; entries: texts typed or pasted, files
    dropped, strokes drawn, turns of the wheel; seconds: between `start` and the end of what is shown, without what a
    person needs to read, think and move.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.clicks = self.entries = 0
        self.seconds = 0.0
        self._strokes = self._unseen = self._pressed = 0
        self.page = self.open_profile(context)

    def open_profile(self, context: BrowserContext) -> Page:
        """A page of a profile, whose clicks count as well."""
        context.expose_binding("pressed", self._count)
        context.add_init_script(_COUNT)
        return context.new_page()

    def _count(self, _: object) -> None:
        self._pressed += 1

    @contextmanager
    def timed(self) -> Iterator[None]:
        """What is done meanwhile takes time, and is checked to be counted."""
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began
        self.page.evaluate("() => undefined")  # what was pressed has been told
        counted = self.clicks + self._strokes - self._unseen
        if self._pressed != counted:
            raise AssertionError(f"the page was pressed {self._pressed} times, {counted} counted")

    def click(self, there: Locator) -> None:
        """Press what is there."""
        self.clicks += 1
        there.click()

    def write(self, field: Locator, text: str) -> None:
        """Type a text into a field, then Enter; a field without the cursor is clicked."""
        self._enter(field)
        field.page.keyboard.type(text)
        field.page.keyboard.press("Enter")

    def write_and_choose(self, field: Locator, text: str, offered: Locator) -> None:
        """Type a text into a field, and click the first of what the browser itself offers below it.

        A browser without a window draws no such list: the field gets what choosing would put there.
        """
        self._enter(field)
        field.page.keyboard.type(text)
        offered.wait_for(state="attached")
        self.clicks += 1
        self._unseen += 1
        field.evaluate(_CHOOSE, offered.get_attribute("value"))

    def paste(self, field: Locator, text: str, *, then_enter: bool = False) -> None:
        """Paste a text into a field, then Enter where that does something."""
        self._enter(field)
        field.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        field.page.keyboard.press("Control+V")
        if then_enter:
            field.page.keyboard.press("Enter")

    def drop(self, files: Mapping[str, bytes]) -> None:
        """Drop files onto the page."""
        self.entries += 1
        self.page.evaluate(_DROP, {name: base64.b64encode(content).decode() for name, content in files.items()})

    def draw(self, where: Locator, share: float = 0.2) -> None:
        """Draw from one corner to the other of a square in the middle, of a share of the smaller edge."""
        self.entries += 1
        self._strokes += 1
        box = _box(where)
        half = share * min(box["width"], box["height"]) / 2
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x - half, y - half)
        self.page.mouse.down()
        self.page.mouse.move(x + half, y + half, steps=5)
        self.page.mouse.up()

    def zoom_in(self, where: Locator) -> None:
        """Turn the wheel beside the middle."""
        self.entries += 1
        box = _box(where)
        self.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"])
        for _ in range(4):
            self.page.mouse.wheel(0, -240)

    def open(self, page: Page, address: str) -> None:
        """Paste an address into the browser's own field."""
        self.entries += 1
        page.goto(address)

    def _enter(self, field: Locator) -> None:
        self.entries += 1
        if not field.evaluate(_HAS_FOCUS):
            self.click(field)


def _box(where: Locator) -> FloatRect:
    box = where.bounding_box()
    if box is None:
        raise AssertionError("nothing to draw on")
    return box
