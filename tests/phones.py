"""A page as a phone shows it."""

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def on_a_phone(browser: "Browser", url: str, scheme: Literal["light", "dark"]) -> "Page":
    """The page on a narrow screen with touch, which it must fit, in the colours asked for."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(url)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(n) for n in background.strip("rgb()").split(",")])
    assert (brightness > 128) == (scheme == "light")
    return page
