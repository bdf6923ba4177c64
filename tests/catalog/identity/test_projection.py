from __future__ import annotations

from catalog.identity import tokens
from catalog.identity.projection import catch_up
from catalog.identity.register import Register
from tests.catalog.identity.conftest import World

TABLES = ("agencies", "keys", "resources", "grants", "suspensions")


def rows(register: Register) -> dict[str, list[tuple[object, ...]]]:
    return {table: [tuple(row) for row in register.all(f"SELECT * FROM {table}")] for table in TABLES}


def test_the_register_is_what_the_ledger_says(world: World) -> None:
    tokens.add(world.register, world.ledger, "a", "a-sys", 30)
    again = Register.create(world.folder / "again.db", world.clock)
    assert catch_up(again, world.ledger) == catch_up(again, world.ledger) + len(
        world.ledger.since(0, ["agency.registered", "agency.key_added", "agency.token_added"])
    )
    assert rows(again) == rows(world.register)
    again.close()


def test_what_a_crash_kept_from_the_register_is_made_good(world: World) -> None:
    token = tokens.add(world.register, world.ledger, "a", "a-sys", 30)
    fields = {"agency": "a", "token": tokens.token_id(token), "by": "a"}
    world.ledger.append("agency.token_revoked", fields)  # … and here the process ended
    assert catch_up(world.register, world.ledger) == 1
    row = world.register.one("SELECT revoked_at FROM tokens")
    assert row is not None and row["revoked_at"] == world.newest()["t"]
