"""Take the pictures in docs/screenshots/ from a demo instance made for it (``make screenshots``).

The pages named in PAGES, in both languages.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs/screenshots"
#: Name of the picture -> (who looks: the demo's login, address, width and height in CSS pixels).
PAGES = {
    "home": ("zhzf-1", "/", (1280, 800)),
    "ledger": ("sfj-1", "/ledger", (1280, 800)),
}
LANGUAGES = {"zh": "zh-CN", "en": "en-US"}


@contextmanager
def demo_instance() -> Iterator[tuple[str, dict[str, str]]]:
    """Address and passwords of a demo that runs as long as the block does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "demo"
        server = subprocess.Popen(
            [Path(sys.prefix) / "bin/liandong", "demo", str(folder), "--port", str(port)],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_served(port, folder, server)
            yield address, json.loads((folder / "demo/credentials.json").read_text())["passwords"]
        finally:
            server.terminate()
            server.wait(timeout=30)


def wait_until_served(port: int, folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Return once the instance is whole and its port answers; raise when the server ended or a minute passed."""
    for _ in range(600):
        with socket.socket() as probe:
            if (folder / "demo/credentials.json").exists() and probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("the demo was not served within a minute; run `make run` to see why")


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, or Playwright's own; without a sandbox only for root, who cannot have one."""
    arguments = ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)


def take(browser: Browser, address: str, passwords: dict[str, str], name: str, language: str) -> Path:
    """Sign in, open the page, and write ``docs/screenshots/NAME-LANGUAGE.png``."""
    login, path, (width, height) = PAGES[name]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=LANGUAGES[language], timezone_id="Asia/Shanghai"
    )
    page = context.new_page()
    page.goto(f"{address}/sign-in?next={path}")
    page.fill("input[name=login]", login)
    page.fill("input[name=password]", passwords[login])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{address}{path}")
    picture = OUT / f"{name}-{language}.png"
    page.screenshot(path=picture)
    context.close()
    return picture


def main() -> None:
    """Take all pictures and name them."""
    OUT.mkdir(parents=True, exist_ok=True)
    with demo_instance() as (address, passwords), sync_playwright() as playwright:
        browser = launch(playwright)
        for name in PAGES:
            for language in LANGUAGES:
                print(take(browser, address, passwords, name, language))
        browser.close()


if __name__ == "__main__":
    main()
