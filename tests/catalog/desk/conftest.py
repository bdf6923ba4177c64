"""A desk over a copy of the demonstration, and people who use it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from catalog.authentication import Credentials
from catalog.desk import ask
from catalog.desk.desk import Desk, Done, Move
from catalog.desk.moves import BY_SLUG, Looking
from catalog.identity import sessions
from catalog.service import Service
from ledger import Instance


class Office:
    """The desk, with everybody of the demonstration at hand by their login."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.desk = Desk(service)

    def of(self, login: str) -> Credentials:
        session = sessions.start(self.service.register, login)
        actor = sessions.actor_of_session(self.service.register, session)
        assert actor is not None
        return Credentials(actor, session=session)

    def ask(self, login: str = "zhzf-1", **change: Any) -> Done:
        who = self.of(login)
        more = {name: change.pop(name) for name in ("subjects", "uploads") if name in change}
        given = {
            "provider": "scjg",
            "description": "甲公司近三年的行政处罚情况",
            "purpose": {"code": "case", "reference": "示执案〔2026〕17号"},
            **change,
        }
        wanted = ask.read(given, self.desk.register_for(who.actor), self.desk.now(), **more)
        return self.desk.open(who, wanted)

    def move(self, login: str, number: str, kind: str, fields: Any = None, words: Any = None, **more: Any) -> Done:
        return self.desk.move(self.of(login), number, Move(kind, fields or {}, words or {}, **more))

    def looking(self, login: str, number: str) -> Looking:
        actor = self.of(login).actor
        case = self.desk.case(actor, number, supervising=True)
        return Looking(self.desk, case, actor.agency, self.desk.now(), actor.officer)

    def send(self, login: str, number: str, slug: str, **given: Any) -> Done:
        """A move as its page makes it: what was typed is read by its form, then it is made."""
        form = BY_SLUG[slug]
        said = form.read(given, self.looking(login, number))
        return self.desk.move(self.of(login), number, Move(form.kind, said.fields, said.particulars, (), said.items))

    def offered(self, login: str, number: str) -> set[str]:
        """The moves that a case's page offers."""
        looking = self.looking(login, number)
        kinds = self.desk.allowed(self.of(login).actor, looking.case)
        return {form.slug for form in BY_SLUG.values() if form.is_offered(looking, kinds)}


@pytest.fixture
def office(demo: Instance) -> Iterator[Office]:
    service = Service.open(demo)
    try:
        yield Office(service)
    finally:
        service.close()


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 2, 3, 4, tzinfo=UTC)
