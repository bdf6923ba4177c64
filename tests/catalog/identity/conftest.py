"""A register and its ledger, on a clock that tests move: agencies a and b, supervising office s, officer a-1."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.identity import keys, officers
from catalog.identity.agencies import register_agency
from catalog.identity.failures import UnknownCounter
from catalog.identity.key_statement import PrivateKey, Statement, endorsed
from catalog.identity.register import Register
from catalog.identity.sign_in import Door
from ledger import Instance, Ledger, Settings

PASSWORD = "right 密码 of their own"


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
    supervisor: PrivateKey

    @property
    def door(self) -> Door:
        return Door(self.register, self.ledger, b"secret" * 6, self.unknown)

    def __post_init__(self) -> None:
        self.unknown = UnknownCounter(self.register, lambda: self.clock.now.timestamp())

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        """All entries of a kind, oldest first."""
        return self.ledger.since(0, [kind])

    def opened(self) -> dict[str, Any]:
        """The opened particulars of the newest entry."""
        receipt = self.ledger.receipt(self.ledger.newest(1)[0]["seq"], with_openings=True)
        return {name: opening.value for name, opening in receipt.openings.items()}

    def statement(self, key: PrivateKey, agency: str = "a", endorser: PrivateKey | None = None) -> Statement:
        """A statement for ``key``, endorsed by ``endorser`` or by the supervising office."""
        expires_at = self.register.timestamp(timedelta(days=10))
        return endorsed(self.ledger.origin, agency, f"{agency}-sys", expires_at, key, endorser or self.supervisor)

    def newest(self) -> dict[str, object]:
        entry: dict[str, object] = self.ledger.newest(1)[0]
        return entry


SETTINGS = Settings("shifan.example/test", "示范县", "Shifan County", "http://catalog.test", demo=True)


def _fill(register: Register, ledger: Ledger, supervisor: PrivateKey) -> None:
    names = {"name_zh": "甲局", "name_en": "Bureau A", "short_name": "甲", "type": "部门"}
    for agency, role in (("a", "agency"), ("b", "agency"), ("s", "supervisor")):
        register_agency(register, ledger, {**names, "id": agency, "role": role})
    expires_at = register.timestamp(timedelta(days=300))
    keys.add(register, ledger, endorsed(ledger.origin, "s", "s-sys", expires_at, supervisor, None))
    for login, held in (("a-1", ["officer", "answerer"]), ("a-2", ["approver"]), ("a-3", ["admin"])):
        officer = {"id": login, "agency": "a", "title_zh": "经办", "title_en": "Officer"}
        officers.enrol(register, ledger, officer, held, password=PASSWORD)


@pytest.fixture(scope="session")
def world_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PrivateKey]:
    """A folder with a filled register and its ledger, made once: passwords are slow. Tests work on copies."""
    folder, clock, supervisor = tmp_path_factory.mktemp("world"), Clock(), Ed25519PrivateKey.generate()
    instance = Instance.create(folder / "instance", SETTINGS)
    register = Register.create(folder / "identity.db", clock)
    with instance.ledger(now=clock) as ledger:
        _fill(register, ledger, supervisor)
    register.close()
    return folder, supervisor


@pytest.fixture
def world(world_template: tuple[Path, PrivateKey], tmp_path: Path) -> Iterator[World]:
    template, supervisor = world_template
    folder, clock = tmp_path / "world", Clock()
    shutil.copytree(template, folder)
    register = Register(folder / "identity.db", clock)
    with Instance.open(folder / "instance").ledger(now=clock) as ledger:
        yield World(register, ledger, clock, folder, supervisor)
    register.close()
