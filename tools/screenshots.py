"""Take docs/screenshots/ again: each page in Chinese and English, some as a phone shows them.

    make screenshots

It starts a demonstration of its own in a temporary folder. A picture keeps at most 255 colours, so that the repository
stays small: what a page of ours has, but for the edges of letters.
"""

from __future__ import annotations

import base64
import itertools
import struct
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import numpy as np
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import chromium, demonstration  # noqa: E402
from tests.conftest import Running  # noqa: E402
from tests.ledger.witness_support import Office, Tree  # noqa: E402

PICTURES = ROOT / "docs/screenshots"
MAX_SIZE_BYTES = 200_000
COLOURS = 255
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
DESKTOP, PHONE = (1280, 960), (390, 844)


@dataclass(frozen=True)
class Shot:
    """One picture: its name, who asks, what for, and how large the window is."""

    name: str
    login: str
    path: str
    size: tuple[int, int] = DESKTOP
    scroll: int = 0


SHOTS = (
    Shot("sign-in", "", "/sign-in", (1280, 760)),
    Shot("home", "zhzf-1", "/", (1280, 1000)),
    Shot("home-phone", "zhzf-1", "/", PHONE),
    Shot("category", "zhzf-1", "/work"),
    Shot("table", "zhzf-1", "/work/penalties?town=%E7%94%B2%E9%95%87&_sort_desc=decided_on", (1280, 1200)),
    Shot("table-phone", "zhzf-1", "/work/penalties?town=%E7%94%B2%E9%95%87", PHONE, 1150),
    Shot("row", "zhzf-1", "/work/penalties/6"),
    Shot("queries", "zhzf-1", "/queries"),
    Shot("error", "bjd-1", "/work/inspections", (1280, 760)),
    Shot("ledger", "sfj-1", "/ledger"),
)


def ask_a_little(site: Running) -> None:
    """A few queries of a system, so that the lists have something to show."""
    for path in ("/directory/resources.json?_size=3", "/work/permits.json?_size=2", "/work/inspections.json"):
        request = urllib.request.Request(site.url + path, headers={"authorization": f"Bearer {site.token}"})
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as error:  # the one without a grant, on purpose
            error.close()


def take(browser: Browser, site: Running) -> Iterator[tuple[str, bytes]]:
    """Name and PNG of each picture."""
    for language, locale in LOCALES.items():
        for shot in SHOTS:
            width, height = shot.size
            context = browser.new_context(locale=locale, viewport={"width": width, "height": height})
            page = context.new_page()
            if shot.login:
                page.goto(site.url + "/sign-in")
                page.fill("#login", shot.login)
                page.fill("#password", site.passwords[shot.login])
                page.click("main button")
            page.goto(site.url + shot.path)
            page.evaluate("document.activeElement.blur()")
            page.evaluate(f"scrollTo(0, {shot.scroll})")
            png = page.screenshot()
            yield f"{shot.name}-{language}", few_colours(pixels(context.new_page(), png, width, height))
            context.close()


def take_witness(browser: Browser, folder: Path) -> Iterator[tuple[str, bytes]]:
    """A witness's page when all is well, and when the log has shown it another history; real HTTP, invented entries."""
    office = Office.make(folder / "witness", 0)
    office.start()
    try:
        honest, forged = Tree.of(1_207), Tree.of(1_207, fork_at=800)
        for state, body, status in (("green", honest.body(0, 1_207), 200), ("refused", forged.body(1_207, 1_207), 409)):
            if httpx2.post(f"{office.url}/add-checkpoint", content=body).status_code != status:
                raise SystemExit(f"the witness did not answer {status}")
            for language, locale in LOCALES.items():
                width, height = DESKTOP if state == "green" else (1280, 1240)
                context = browser.new_context(locale=locale, viewport={"width": width, "height": height})
                page = context.new_page()
                page.goto(office.url)
                png = page.screenshot()
                yield f"witness-{state}-{language}", few_colours(pixels(context.new_page(), png, width, height))
                context.close()
    finally:
        office.stop()


def pixels(page: Page, png: bytes, width: int, height: int) -> np.ndarray:
    """The pixels of a PNG as an array (height, width, 3), decoded by the browser itself."""
    decoded = page.evaluate(
        """async ([png, width, height]) => {
            const image = new Image();
            image.src = 'data:image/png;base64,' + png;
            await image.decode();
            const canvas = new OffscreenCanvas(width, height).getContext('2d');
            canvas.drawImage(image, 0, 0);
            const data = canvas.getImageData(0, 0, width, height).data;
            let text = '';
            for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
            return btoa(text);
        }""",
        [base64.b64encode(png).decode(), width, height],
    )
    rgba = np.frombuffer(base64.b64decode(decoded), np.uint8).reshape(height, width, 4)
    return rgba[:, :, :3]


def few_colours(rgb: np.ndarray) -> bytes:
    """A PNG with a palette of the most frequent colours; each other pixel takes the nearest of them."""
    height, width, _ = rgb.shape
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, where, counts = np.unique(packed, return_inverse=True, return_counts=True)
    kept = colours[np.argsort(counts)[::-1][:COLOURS]]
    every, palette = (np.stack([c >> 16, c >> 8 & 255, c & 255], axis=1).astype(np.int32) for c in (colours, kept))
    nearest = np.array([((palette - colour) ** 2).sum(axis=1).argmin() for colour in every], np.uint8)
    lines = nearest[where].reshape(height, width)
    raw = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette.astype(np.uint8).tobytes()), (b"IDAT", zlib.compress(raw, 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main() -> int:
    PICTURES.mkdir(parents=True, exist_ok=True)
    too_large = []
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder) / "demo") as site, chromium() as browser:
        ask_a_little(site)
        for name, png in itertools.chain(take(browser, site), take_witness(browser, Path(folder))):
            (PICTURES / f"{name}.png").write_bytes(png)
            print(f"docs/screenshots/{name}.png  {len(png) // 1000} kB")
            too_large += [name] if len(png) > MAX_SIZE_BYTES else []
    if too_large:
        print(f"larger than {MAX_SIZE_BYTES} bytes: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main())
