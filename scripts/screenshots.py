"""Takes the pictures of the documentation: a service of its own, its interactive guest, a headless Chromium."""

from __future__ import annotations

from pathlib import Path

from tests.browser import Browser
from tests.kvm.console_servers import interactive, page_url
from tests.serving import Serving, state_folder

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def console(state: Path, server: str) -> None:
    """docs/images/console.png: somebody talks to a guest."""
    with Browser(900, 380) as page:
        page.open(page_url(state, server))
        page.wait_for_text("> ")
        for line in ("help", "hello from a browser"):
            page.type(f"{line}\n")
        page.wait_for_text("you said: hello from a browser")
        page.screenshot(IMAGES / "console.png")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with state_folder() as state, Serving(state) as serving, interactive(serving.client(), "one") as server:
        console(state, server)


if __name__ == "__main__":
    main()
