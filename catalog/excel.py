"""CSV files that a spreadsheet opens as what they are."""

from __future__ import annotations

import codecs

from catalog.http import App, Event, Receive, Scope, Send


def mark_csv_downloads(app: App) -> App:
    """Put a byte order mark before each CSV that is given as a file to save.

    Without it Chinese editions of Excel and WPS read the file in the system's old encoding. CSV that programs read
    (``text/plain``, without ``_dl``) stays as it is. It lies inside the gate, so entries commit to the marked bytes.
    """

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        waiting = False

        async def mark(event: Event) -> None:
            nonlocal waiting
            if event["type"] == "http.response.start":
                headers = {name.lower(): value for name, value in event.get("headers", [])}
                waiting = headers.get(b"content-type", b"").startswith(b"text/csv") and b"content-length" not in headers
            elif waiting and event.get("body"):
                waiting = False
                event = {**event, "body": codecs.BOM_UTF8 + event["body"]}
            await send(event)

        await app(scope, receive, mark)

    return marked
