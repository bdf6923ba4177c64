"""Take docs/screenshots/ again: each page in Chinese and English, some as a phone shows them.

    make screenshots
    .venv/bin/python tools/screenshots.py ledger query    # these alone

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import numpy as np
from playwright.sync_api import Browser, Page, StorageState

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from catalog import suspensions  # noqa: E402
from catalog.identity.register import Register  # noqa: E402
from catalog.purpose import Purpose  # noqa: E402
from catalog.purpose_header import NAME, write  # noqa: E402
from tests.browser.conftest import REFERENCE, chromium, demonstration, state  # noqa: E402
from tests.conftest import Running  # noqa: E402
from tests.ledger.witness_support import Office, Tree  # noqa: E402

PICTURES = ROOT / "docs/screenshots"
MAX_SIZE_BYTES = 200_000
COLOURS = 255
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
DESKTOP, PHONE = (1280, 960), (390, 844)


@dataclass(frozen=True)
class Shot:
    """One picture: its name, who asks, what for, and how large the window is.

    Attributes:
        path: ``{served}`` stands for an entry with an answer to the Integrated Enforcement Bureau; ``{asked}`` and
            ``{answered}`` for requests at the desk, ``{answer}`` for the entry that answered.
        act: what is done on the page before the picture, one of :data:`ACTS`.
        languages: in which it is taken.
    """

    name: str
    login: str
    path: str
    size: tuple[int, int] = DESKTOP
    scroll: int = 0
    act: str = ""
    languages: tuple[str, ...] = tuple(LOCALES)


def fail_to_sign_in(page: Page) -> None:
    page.fill("#login", "zhzf-1")
    page.fill("#password", "not the password")
    page.click("main button")


def ask_by_form(page: Page) -> None:
    page.select_option("#column-1", "party_name")
    page.fill("#value-1", "运输")
    page.select_option("#order", "decided_on")
    page.check("#descending")
    page.select_option("#limit", "20")
    page.click("#query-form .field-submit button")


def open_api(page: Page) -> None:
    page.click("a[href='#api-question']")
    page.evaluate("document.querySelector('#api').scrollIntoView()")


def open_judgement(page: Page) -> None:
    page.locator(".flag-judge summary").first.click()


def show_result(page: Page) -> None:
    page.evaluate("document.querySelector('.result').scrollIntoView()")


ACTS = {"result": show_result, "fail": fail_to_sign_in, "ask": ask_by_form, "api": open_api, "judge": open_judgement}


def on_phone(shot: Shot, height: int = PHONE[1]) -> Shot:
    """The same page as a phone shows it, in Chinese."""
    return replace(shot, name=f"{shot.name}-phone", size=(PHONE[0], height), languages=("zh",))


SHOTS = (
    Shot("sign-in", "", "/sign-in", (1280, 760)),
    Shot("home", "zhzf-1", "/", (1280, 1000)),
    Shot("home-phone", "zhzf-1", "/", PHONE),
    Shot("category", "zhzf-1", "/work"),
    Shot("purpose", "zhzf-1", "/work/penalties"),  # before one is stated
    Shot("table", "zhzf-1", "/work/penalties?town=%E7%94%B2%E9%95%87&_sort_desc=decided_on", (1280, 1200)),
    Shot("table-phone", "zhzf-1", "/work/penalties?town=%E7%94%B2%E9%95%87", PHONE, act="result"),
    Shot("row", "zhzf-1", "/work/penalties/6"),
    Shot("queries", "zhzf-1", "/queries"),
    Shot("error", "bjd-1", "/work/inspections", (1280, 760)),
    Shot("ledger", "sfj-1", "/ledger"),
    Shot("sign-in-refused", "", "/sign-in", (1280, 760), act="fail"),
    ACCOUNT := Shot("account", "zhzf-1", "/account"),
    AGENCY := Shot("agency", "zhzf-3", "/agency", (1280, 1200)),
    Shot("agencies", "ywzx-1", "/agencies", (1280, 1160)),
    GRANTS := Shot("grants", "scjg-3", "/grants", (1280, 1100)),
    Shot("suspensions", "sjj-2", "/grants", scroll=10_000),
    ACCESS := Shot("access", "zhzf-1", "/access", (1280, 1200)),
    Shot("access-table", "zhzf-1", "/access?resource=work/inspections", (1280, 1040)),
    Shot("permissions", "sfj-1", "/access/rules?agency=zhzf"),
    REQUEST := Shot("request", "zhzf-1", "/request?resource=work/inspections"),
    Shot("suspended", "jkq-1", "/work/penalties", (1280, 760)),
    ASKED := Shot("asked", "scjg-1", "/asked"),
    USE := Shot("use", "zhzf-1", "/queries/{served}", (1280, 1200)),
    QUERY := Shot("query", "zhzf-1", "/query/work/permits", (1280, 1300), act="ask"),
    Shot("api", "zhzf-1", "/work/permits", (1280, 1100), act="api"),
    ANOMALIES := Shot("anomalies", "sfj-1", "/anomalies", (1280, 1300), act="judge"),
    Shot("ask", "zhzf-1", "/requests/new", (1280, 1500)),
    RECEIPT := Shot("receipt", "zhzf-1", "/requests/{asked}/receipt", (1280, 1100)),
    CASE := Shot("case", "sthj-1", "/requests/{asked}", (1280, 1300)),
    INBOX := Shot("inbox", "sthj-1", "/requests"),
    Shot("refuse", "sthj-1", "/requests/{asked}/refuse?ground=RG03", (1280, 1500)),
    Shot("answer", "sthj-1", "/requests/{asked}/answer", (1280, 1300)),
    Shot("sheet", "zhzf-1", "/requests/{answered}/sheet/{answer}", (1280, 1300)),
    Shot("supervision", "sfj-2", "/supervision", (1280, 1100)),
    *(on_phone(shot) for shot in (ACCOUNT, AGENCY, GRANTS, ACCESS, REQUEST, ASKED, USE, RECEIPT, CASE, INBOX)),
    on_phone(QUERY, 1200),
    on_phone(ANOMALIES, 1200),
)
#: So many of them are worth a supervising office's look.
AGAIN_AND_AGAIN = 34


def ask_a_little(site: Running) -> int:
    """A few queries of a system, so that the lists have something to show; return the number of one that gave rows.

    Some are asked again and again, without a grant and for one reference, and one agency is suspended.
    """
    served = 0
    again = ["/work/inspections.json", "/work/penalties.json?town=%E7%94%B2%E9%95%87&_size=5"] * AGAIN_AND_AGAIN
    varied = ["/work/permits.json?_size=2", "/documents/documents.csv?_size=20", "/work/penalties/6.json"]
    fields = {"authorization": f"Bearer {site.token}", NAME: write(Purpose("case", REFERENCE))}
    for path in [*again, "/directory/resources.json?_size=3", *varied]:
        request = urllib.request.Request(site.url + path, headers=fields)
        try:
            with urllib.request.urlopen(request) as response:
                served = int(response.headers["ledger-entry"])
        except urllib.error.HTTPError as error:  # the one without a grant, on purpose
            error.close()
    with closing(Register(site.instance.identity_path)) as register, site.instance.ledger() as ledger:
        suspension = {
            "id": suspensions.next_id(register),
            "agency": "jkq",
            "by": "sjj",
            "reason": "将共享数据用于约定事由以外的用途（演示）",
        }
        suspensions.suspend(register, ledger, suspension, officer="sjj-2")
    return served


def ask_at_the_desk(browser: Browser, site: Running) -> dict[str, str]:
    """A request that waits for its answer and one that has it: their numbers, and that of the answer's entry."""
    posts = {login: browser.new_context(storage_state=signed_in(browser, site, login, "zh-CN")).request
             for login in ("zhzf-1", "sthj-1", "scjg-1")}  # fmt: skip

    def post(login: str, path: str, **form: str) -> str:
        response = posts[login].post(site.url + path, form=form, max_redirects=0)
        if response.status != 303:
            raise SystemExit(f"{path}: {response.status}")
        return response.headers["location"]

    numbers = {}
    for name, provider in (("answered", "scjg"), ("asked", "sthj")):
        asked = {
            "act": "query",
            "provider": provider,
            "code": "case",
            "reference": REFERENCE,
            "subjects": "甲公司（虚构）",
        }
        place = post("zhzf-1", "/requests/new", description="某企业近三年的行政处罚情况（演示）", **asked)
        numbers[name] = place.split("/")[-2]
        post(f"{provider}-1", f"/requests/{numbers[name]}/authenticate", method="session")
    rows = "决定书文号,当事人,案由,决定日期\n示演罚字〔2026〕1号,甲公司（虚构）,未按规定建立进货查验记录,2026-03-11\n"
    post("scjg-1", f"/requests/{numbers['answered']}/answer", rows=rows, text="共一件，已执行。")
    with site.instance.ledger() as ledger:
        newest = ledger.newest(1, where={"kind": "request.answered"})
    return {**numbers, "answer": str(newest[0]["seq"])}


def signed_in(browser: Browser, site: Running, login: str, locale: str) -> StorageState | None:
    """The cookies of a session; None for nobody's."""
    if not login:
        return None
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(site.url + "/sign-in")
    page.fill("#login", login)
    page.fill("#password", site.passwords[login])
    page.click("main button")
    cookies = context.storage_state()
    context.close()
    return cookies


def take(
    browser: Browser, site: Running, known: Mapping[str, str], shots: Sequence[Shot]
) -> Iterator[tuple[str, bytes]]:
    """Name and PNG of each picture."""
    for language, locale in LOCALES.items():
        sessions = {login: signed_in(browser, site, login, locale) for login in {shot.login for shot in shots}}
        for shot in shots:
            if language not in shot.languages:
                continue
            width, height = shot.size
            context = browser.new_context(
                locale=locale, viewport={"width": width, "height": height}, storage_state=sessions[shot.login]
            )
            if shot.name == "table":
                state(context, site.url, "zhzf")  # from now on the session's
            page = context.new_page()
            page.goto(site.url + shot.path.format(**known))
            if shot.act:
                ACTS[shot.act](page)
            page.evaluate("document.activeElement.blur()")
            if shot.act not in ("api", "result"):  # these scroll by themselves
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


def main(*names: str) -> int:
    PICTURES.mkdir(parents=True, exist_ok=True)
    too_large = []
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder) / "demo") as site, chromium() as browser:
        known = {"served": str(ask_a_little(site)), **ask_at_the_desk(browser, site)}
        shots = [shot for shot in SHOTS if not names or shot.name in names]
        witness = take_witness(browser, Path(folder)) if not names else iter(())
        for name, png in itertools.chain(take(browser, site, known, shots), witness):
            (PICTURES / f"{name}.png").write_bytes(png)
            print(f"docs/screenshots/{name}.png  {len(png) // 1000} kB")
            too_large += [name] if len(png) > MAX_SIZE_BYTES else []
    if too_large:
        print(f"larger than {MAX_SIZE_BYTES} bytes: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
