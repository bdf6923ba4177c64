"""CSV files that a spreadsheet opens as what they are: Chinese stays Chinese, and text stays text."""

from __future__ import annotations

import codecs
import csv
import io
import re

from catalog.http import App, Event, Receive, Scope, Send

#: What makes a spreadsheet take a cell for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
#: Negative numbers as SQLite's integers and reals are written. None is written with a plus: that is a text.
_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def mark_csv_downloads(app: App) -> App:
    """Make each CSV that is given as a file to save (``_dl=1``) fit for spreadsheets, in two ways.

    A byte order mark goes before it: without it Chinese editions of Excel and WPS read the file in the system's old
    encoding. And a cell that begins with ``= + - @``, a tab or a carriage return gets a leading apostrophe unless it
    is a plain negative number: a spreadsheet would run it as a formula (OWASP, "CSV Injection"), and whoever files a
    name with an agency may choose its letters.

    CSV that programs read (``text/plain``, without ``_dl``) and JSON stay exact, and so does what is stored. It lies
    inside the gate, so entries commit to the changed bytes.
    """

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        waiting = False
        body = bytearray()

        async def mark(event: Event) -> None:
            nonlocal waiting
            if event["type"] == "http.response.start":
                headers = {name.lower(): value for name, value in event.get("headers", [])}
                waiting = headers.get(b"content-type", b"").startswith(b"text/csv") and b"content-length" not in headers
            elif waiting:
                # A quoted cell may stretch over chunks, so the whole is needed; the gate holds it back anyway.
                body.extend(event.get("body", b""))
                if event.get("more_body"):
                    return
                waiting = False
                event = {**event, "body": for_spreadsheets(bytes(body))}
            await send(event)

        await app(scope, receive, mark)

    return marked


def for_spreadsheets(body: bytes) -> bytes:
    """Return a CSV file (UTF-8) with a byte order mark and without cells that a spreadsheet would run."""
    text = body.decode("utf-8")
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    # The module's limit is for foreign files; these cells come from our own tables and must not be lost.
    limit = csv.field_size_limit(len(text) + 1)
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            writer.writerow([_inert(cell) for cell in row])
    finally:
        csv.field_size_limit(limit)
    return codecs.BOM_UTF8 + out.getvalue().encode("utf-8")


def _inert(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(cell) else cell
