"""A real browser, for the page's tests and for the README's pictures of it.

`python -m tests.browser out/compare/index.html` draws docs/page-light.png and docs/page-dark.png.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from shared.system.paths import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update")
VIEWPORT = {"width": 1280, "height": 1066}  # down to the first chart's legend
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-sync", *QUIET)


def find() -> str | None:
    """The path of a Chromium, where there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """Yield a browser that asks for nothing of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=list(OPTIONS))
        yield browser
        browser.close()


def main() -> None:
    """Draw the top of a report's page as a reader's screen shows it."""
    address = Path(sys.argv[1]).resolve().as_uri()
    with running() as browser:
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=VIEWPORT, device_scale_factor=1.5, color_scheme=scheme)
            page.goto(address)
            page.get_by_role("radio", name="English").check()
            page.get_by_role("radio", name="Each epoch").check()
            page.screenshot(path=ROOT / "docs" / f"page-{scheme}.png")


if __name__ == "__main__":
    main()
