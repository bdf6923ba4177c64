"""Requests signed beforehand: a nonce is good for one request, and signing is the client's work, not the server's."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

from bench.wrk import Ask
from catalog.algorithms import sign as sign_bytes
from catalog.client import load_key
from catalog.demo.build import SYSTEM
from catalog.signatures import Message, sign
from ledger import Instance

_NONCE = "nonce-of-the-first"


def signed(instance: Instance, url: str, ask: Ask, count: int) -> list[Ask]:
    """``ask``, signed ``count`` times by the demonstration's system for the service at ``url``.

    The first is made as clients make it; the others differ from it in their nonce and their signature alone, which
    saves most of half a millisecond each.
    """
    key = load_key(instance.path / "demo" / f"{SYSTEM}-sys.key.pem")
    created = datetime.now(UTC)
    message = Message(ask.method, url + ask.path, dict(ask.headers))
    sign(message, ask.body.encode(), key, _NONCE, created=created)
    first = message.headers
    made = []
    for n in range(count):
        params = first["Signature-Input"].replace(_NONCE, f"{created.timestamp():.6f}-{n}")
        covered = [("@method", ask.method), ("@target-uri", message.url)]
        if ask.body:
            covered.append(("content-digest", first["Content-Digest"]))
        covered.append(("@signature-params", params.removeprefix("sig1=")))
        base = "\n".join(f'"{name}": {value}' for name, value in covered)
        signature = base64.b64encode(sign_bytes(key, base.encode())).decode()
        headers = {**first, "Signature-Input": params, "Signature": f"sig1=:{signature}:"}
        made.append(replace(ask, headers=tuple(headers.items())))
    return made
