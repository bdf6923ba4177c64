"""What tests of signed requests share: further keys for the demonstration's agencies, and a question by POST."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from catalog.client import load_key
from catalog.identity import keys
from catalog.identity.key_statement import PrivateKey, endorsed, key_id
from catalog.identity.register import Register
from ledger import Instance
from ledger.instance import private_pem, write_private

#: Open to everybody who is signed in, so that no purpose is needed.
API_PATH = "/api/query/directory/resources"


def add_key(instance: Instance, key: PrivateKey, file: Path, agency: str = "zhzf") -> str:
    """Register ``key`` for a demonstration's agency, endorsed by its supervising office, and write it to ``file``."""
    with instance.ledger() as ledger, closing(Register(instance.identity_path)) as register:
        endorser = load_key(instance.path / "demo/sfj-sys.key.pem")
        expires_at = register.timestamp(timedelta(days=30))
        statement = endorsed(ledger.origin, agency, f"{agency}-{file.stem}", expires_at, key, endorser)
        keys.add(register, ledger, statement)
    write_private(file, private_pem(key))
    return key_id(key.public_key())
