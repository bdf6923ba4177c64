"""The service with one more address, ``POST /api/echo``, which answers with what it is sent: for tests of bodies.

``python -m tests.catalog.posting serve …`` is ``liandong serve …`` with it; everything else is the real thing.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from catalog import plugin, routes
from catalog.cli import main
from catalog.client import load_key
from catalog.http import Answer, App, Receive, Scope, Send, read_body
from catalog.identity import keys
from catalog.identity.key_statement import PrivateKey, endorsed, key_id
from catalog.identity.register import Register
from catalog.routes import Access, Route
from ledger import Instance
from ledger.instance import private_pem, write_private

PATH = "/api/echo"
ECHO = Route("echo", frozenset({"POST"}), re.compile(PATH), Access.RECORDED)


def echoing(app: App) -> App:
    """``app``, and before it the echo; a body that is no JSON is answered 400."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await app(scope, receive, send)
            return
        body = await read_body(receive, 1_000_000)
        try:
            value = json.loads(body)
        except ValueError:
            await Answer.of_json(400, {"ok": False, "error": "no JSON"}).send(send)
            return
        await Answer.of_json(200, {"rows": [value]}).send(send)

    return answer


def add_key(instance: Instance, key: PrivateKey, file: Path, agency: str = "zhzf") -> str:
    """Register ``key`` for a demonstration's agency, endorsed by its supervising office, and write it to ``file``."""
    with instance.ledger() as ledger, closing(Register(instance.identity_path)) as register:
        endorser = load_key(instance.path / "demo/sfj-sys.key.pem")
        expires_at = register.timestamp(timedelta(days=30))
        statement = endorsed(ledger.origin, agency, f"{agency}-{file.stem}", expires_at, key, endorser)
        keys.add(register, ledger, statement)
    write_private(file, private_pem(key))
    return key_id(key.public_key())


if __name__ == "__main__":
    routes.ROUTES = (*routes.ROUTES, ECHO)
    inner = plugin.mark_csv_downloads
    plugin.mark_csv_downloads = lambda app: echoing(inner(app))
    main()
