"""One request to the application in a process of its own: how much memory it takes, or what a crash leaves.

    python -m tests.catalog.answer_child FOLDER TOKEN PATH [crash]

It prints, as JSON, the status, the size and digest of what was sent, and by how much the most memory ever used grew
(kB). With ``crash`` the process ends without a word when the first byte of the answer is to leave.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from catalog.plugin import build
from catalog.purpose_header import NAME
from catalog.service import Service
from ledger import Instance

#: What the asker's grant is for.
PURPOSE = 'case; reference="SF-2026-17"'


def forget_most_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def most_memory_kb() -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1])


async def ask(app: Any, path: str, token: str, *, crash: bool) -> dict[str, Any]:
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"catalog.test"),
            (b"authorization", f"Bearer {token}".encode()),
            (NAME.encode(), PURPOSE.encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    found: dict[str, Any] = {"size_bytes": 0}
    digest = hashlib.sha256()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        if crash:
            os._exit(9)
        if event["type"] == "http.response.start":
            found["status"] = event["status"]
        else:
            digest.update(event["body"])
            found["size_bytes"] += len(event["body"])

    await app(scope, receive, send)
    return {**found, "sha256": digest.hexdigest()}


async def main(folder: str, token: str, path: str, *more: str) -> None:
    service = Service.open(Instance.open(Path(folder)))
    datasette = build(service)
    await datasette.invoke_startup()
    app = datasette.app()
    await ask(app, path.partition("?")[0] + "?_size=max", token, crash=False)  # what any answer takes once
    forget_most_memory()
    before = most_memory_kb()
    found = await ask(app, path, token, crash="crash" in more)
    print(json.dumps({**found, "grew_kb": most_memory_kb() - before}))
    datasette.close()
    service.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
