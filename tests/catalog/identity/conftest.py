"""A register and its ledger, on a clock that tests move: agencies a and b, supervising office s, officer a-1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.identity import keys, officers
from catalog.identity.agencies import register_agency
from catalog.identity.key_statement import PrivateKey, Statement, endorsed
from catalog.identity.register import Register
from ledger import Instance, Ledger, Settings

PASSWORD = "right 口令"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """What the tests of the register share."""

    register: Register
    ledger: Ledger
    clock: Clock
    folder: Path
    supervisor: PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def statement(self, key: PrivateKey, agency: str = "a", endorser: PrivateKey | None = None) -> Statement:
        """A statement for ``key``, endorsed by ``endorser`` or by the supervising office."""
        expires_at = self.register.timestamp(timedelta(days=10))
        return endorsed(self.ledger.origin, agency, f"{agency}-sys", expires_at, key, endorser or self.supervisor)

    def newest(self) -> dict[str, object]:
        entry: dict[str, object] = self.ledger.newest(1)[0]
        return entry


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = Clock()
    settings = Settings("shifan.example/test", "示范县", "Shifan County", "http://catalog.test", demo=True)
    instance = Instance.create(tmp_path / "instance", settings)
    register = Register.create(tmp_path / "identity.db", clock)
    with instance.ledger() as ledger:
        ledger._sequencer._now = clock
        made = World(register, ledger, clock, tmp_path)
        names = {"name_zh": "甲局", "name_en": "Bureau A", "short_name": "甲", "type": "部门"}
        for agency, role in (("a", "agency"), ("b", "agency"), ("s", "supervisor")):
            register_agency(register, ledger, {**names, "id": agency, "role": role})
        expires_at = register.timestamp(timedelta(days=300))
        keys.add(register, ledger, endorsed(ledger.origin, "s", "s-sys", expires_at, made.supervisor, None))
        officer = {"id": "a-1", "agency": "a", "title_zh": "经办", "title_en": "Officer"}
        officers.enrol(register, ledger, officer, PASSWORD, ["officer", "answerer"])
        yield made
    register.close()
