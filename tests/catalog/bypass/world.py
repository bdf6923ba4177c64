"""One demonstration with planted values, and everybody who may come to its door."""

from __future__ import annotations

import asyncio
import csv
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization

from catalog import grants, purpose_header
from catalog.cookies import session_cookie
from catalog.demo import build as demo_build
from catalog.desk.rulebooks import Rulebooks, clock_fields
from catalog.grants import Grant
from catalog.http import App
from catalog.identity import sessions
from catalog.identity.projection import record
from catalog.permissions import SUPERVISION
from catalog.plugin import build
from catalog.service import Service
from catalog.serving.metrics import Metrics
from ledger import Instance
from ledger.cases import Actor, Words, draft_opening
from ledger.rule_archive import Archive
from ledger.rules import deadline
from ledger.rules.deadlines import stamp
from tests.catalog import rfc9421
from tests.catalog.bypass.asking import Header, Request, Response, ask, headers_of
from tests.conftest import credentials

FOLDER = Path(__file__).parent
#: The number of a planted request of zhzf to scjg.
CASE = "q-20260101-00001"


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody at the door. ``login``: of an officer, who signs in; else ``auth`` is how the agency's system comes."""

    name: str
    agency: str
    auth: str
    login: str = ""

    @property
    def purpose(self) -> str:
        """The code of a purpose that opens what is granted to the asker."""
        return SUPERVISION if self.name == "supervisor" else "case"


ASKERS = (
    Asker("anonymous", "", ""),
    Asker("officer", "zhzf", "session", "zhzf-1"),
    Asker("other", "bjd", "session", "bjd-1"),
    Asker("provider", "scjg", "session", "scjg-1"),
    Asker("admin", "zhzf", "session", "zhzf-3"),
    Asker("supervisor", "sfj", "session", "sfj-1"),
    Asker("authority", "sjj", "session", "sjj-1"),
    Asker("operator", "ywzx", "session", "ywzx-1"),
    Asker("token", "zhzf", "token"),
    Asker("signature", "zhzf", "signature"),
)
BY_NAME = {asker.name: asker for asker in ASKERS}


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of one of the suite's tables."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def canary(name: str) -> str:
    """A planted value: letters only, so that no encoding on the way changes it."""
    return f"qzcanary{name}zq"


def _who(column: str) -> dict[str, frozenset[str]]:
    return {row["canary"]: frozenset(row[column].split()) for row in rows_of("canaries.csv")}


#: Who may see which planted value, in an answer that is recorded.
MAY_SEE = _who("who may see it in a recorded answer")
#: Who may see it beside that: what the office itself decides about.
OWN_AFFAIR = _who("who may see it on a page that is not recorded")


class World:
    """The application over a planted instance, in this process."""

    def __init__(self, instance: Instance, runner: asyncio.Runner) -> None:
        self.instance = instance
        self._runner = runner
        _lift_quotas(instance)
        self.service = Service.open(instance)
        self._token = credentials(instance)["token"]
        self._key = serialization.load_pem_private_key(
            (instance.path / "demo" / f"{demo_build.SYSTEM}-sys.key.pem").read_bytes(), None
        )
        plant(self.service)
        metrics = Metrics()
        self.datasette = build(self.service, metrics, metrics)
        runner.run(self.datasette.invoke_startup())
        self.app: App = self.datasette.app()
        self._sessions = {asker.name: self.session_of(asker.login) for asker in ASKERS if asker.login}
        self.secrets = _stored_secrets(self.service)
        for asker in ASKERS:  # an entry of everybody's own
            self.ask(asker, Request("GET", b"/"))

    def close(self) -> None:
        self.datasette.close()
        self.service.close()

    # -- asking -------------------------------------------------------------------------------------------------------

    def session_of(self, login: str) -> str:
        """A new session's secret."""
        return sessions.start(self.service.register, login)

    def authenticate(self, asker: Asker, request: Request, session: str = "", *, states: bool = True) -> Request:
        """The request with the asker's credentials, as their programs or browsers would send them.

        Args:
            states: it says what for, with a purpose that the asker's grants open.
        """
        if states:
            stated = headers_of([(purpose_header.NAME, f'{asker.purpose}; reference="2026-17"')])
            request = Request(request.method, request.target, (*request.headers, *stated), request.body)
        more: tuple[Header, ...] = ()
        if asker.auth == "session":
            name = session_cookie(self.service.address)
            more = headers_of([("cookie", f"{name}={session or self._sessions[asker.name]}")])
        elif asker.auth == "token":
            more = headers_of([("authorization", f"Bearer {self._token}")])
        elif asker.auth == "signature":
            more = self._signed(request)
        return Request(request.method, request.target, (*request.headers, *more), request.body)

    def ask(self, asker: Asker, request: Request, *, session: str = "", states: bool = True) -> Response:
        """What the asker gets."""
        return self.ask_as_it_is(self.authenticate(asker, request, session, states=states))

    def ask_as_it_is(self, request: Request) -> Response:
        return self._runner.run(ask(self.app, request))

    def run(self, work: Any) -> Any:
        """Run a coroutine where the application lives."""
        return self._runner.run(work)

    def _signed(self, request: Request) -> tuple[Header, ...]:
        """A signature by an implementation of its own (RFC 9421), which covers a purpose that is stated."""
        stated = {k.decode(): v.decode() for k, v in request.headers if k.decode() == purpose_header.NAME}
        target = request.target.decode("latin-1")
        if not target.isascii():  # no address: a signature for one that is
            target = "/work/permits.json"
        covered = ("@method", "@target-uri", *(("content-digest",) if request.body else ()), *stated)
        fields = rfc9421.signed(
            self._key,  # type: ignore[arg-type]
            request.method,
            self.service.address.url(target),
            request.body,
            created=int(datetime.now(UTC).timestamp()),
            nonce=secrets.token_urlsafe(16),
            covered=covered,
            headers=stated,
        )
        return headers_of([item for item in fields.items() if item[0] not in stated])

    # -- looking at the ledger ----------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        newest = self.service.ledger.newest(1)
        return newest[0]["seq"] + 1 if newest else 0

    def entries_from(self, seq: int) -> list[dict[str, Any]]:
        """Entries from ``seq`` on, oldest first."""
        found = []
        for entry in self.service.ledger.newest(50):
            if entry["seq"] < seq:
                break
            found.append(entry)
        return found[::-1]

    def opened(self, seq: int) -> dict[str, Any]:
        """The particulars of an entry."""
        openings = self.service.ledger.receipt(seq, with_openings=True).openings
        return {name: opening.value for name, opening in openings.items()}


def _lift_quotas(instance: Instance) -> None:
    """The suite asks more in a minute than an agency may."""
    file = instance.path / "datasette.yml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    unlimited = {"requests_per_minute": None, "rows_per_day": None}
    quotas = {"systems": unlimited, "officers": unlimited}
    settings["plugins"] = {"liandong": {"quotas": quotas}}
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")


def plant(service: Service) -> None:
    """Put the values of ``canaries.csv`` where they are said to be."""
    with closing(sqlite3.connect(service.instance.database_path("work"))) as work, work:
        for table, column, name in (
            ("penalties", "facts", "granted"),
            ("inspections", "party_name", "ungranted"),
            ("permits", "permit_content", "unconditional"),
        ):
            work.execute(f"UPDATE {table} SET {column} = ? WHERE id = 1", (canary(name),))
        work.execute("CREATE TABLE kept_back (id INTEGER PRIMARY KEY, name TEXT, _batch TEXT)")
        work.execute("CREATE TABLE draft (id INTEGER PRIMARY KEY, name TEXT, _batch TEXT)")
        work.execute("CREATE TABLE narrowed (id INTEGER PRIMARY KEY, name TEXT, secret TEXT, _batch TEXT)")
        work.execute(
            "CREATE TABLE linked (id INTEGER PRIMARY KEY, name TEXT, penalty REFERENCES penalties (id), _batch)"
        )
        for table, name in (("kept_back", "keptback"), ("draft", "unpublished"), ("linked", "linked")):
            work.execute(f"INSERT INTO {table} (id, name) VALUES (1, ?)", (canary(name),))
        work.execute("UPDATE linked SET penalty = 1")
        work.execute(
            "INSERT INTO narrowed (id, name, secret) VALUES (1, ?, ?)", (canary("opencolumn"), canary("hiddencolumn"))
        )
        work.execute(f"CREATE VIEW everything AS SELECT id, party_name, '{canary('viewed')}' AS v FROM inspections")
        work.execute("CREATE VIRTUAL TABLE words USING fts5 (name)")
        work.execute("INSERT INTO words (rowid, name) VALUES (1, ?)", (canary("searched"),))
        work.execute("UPDATE _batches SET file_name = ?", (canary("batches"),))
    with closing(sqlite3.connect(service.instance.database_path("directory"))) as directory, directory:
        directory.execute("UPDATE resources SET summary = ? WHERE id = 1", (canary("directory"),))
    register, ledger = service.register, service.ledger
    grants.publish(register, ledger, "work/kept_back", "yjgl", "不予共享", basis="示范县规定（虚构）第一条")
    grants.publish(register, ledger, "work/narrowed", "scjg", "有条件共享")
    narrow = ("work", "narrowed", ("case",), "2026-01-01", "2099-12-31", "示范县规定（虚构）第二条")
    grants.give(register, ledger, Grant("g-narrow", "scjg", "zhzf", *narrow, columns=("id", "name")))
    suspension = {
        "suspension": "s-1",
        "agency": "jkq",
        "by": "sjj",
        "basis": "条例第二十七条",
        "reason": canary("suspended"),
    }
    record(register, ledger, "access.suspended", suspension, particulars={"officer": "sjj-1"})
    register.write(
        "INSERT INTO stated_purposes VALUES ('x', 'work/penalties', 'case', ?, '', '', '2026-01-01T00:00:00.000Z')",
        (canary("purpose"),),
    )
    asked = {"requester": "jiazhen", "auth": "token", "resource": "work/permits", "route": "table", "status": 200}
    ledger.append(
        "query.served",
        {**asked, "elapsed_us": 1, "format": "json", "size_bytes": 1},
        particulars={"query": f"GET /work/permits.json?party_name={canary('asked')}", "answer_sha256": "0" * 64},
    )
    _plant_request(service)


def _plant_request(service: Service) -> None:
    """A case between two agencies, whose words are theirs alone."""
    now = service.now()
    fields = {
        "requester": "zhzf",
        "provider": "scjg",
        "purpose": "case",
        "reference_kind": "case_number",
        "channel": "desk",
        "received_at": stamp(now),
        **clock_fields(
            deadline(Rulebooks(service.ledger, Archive(service.instance.path / "rules")).current(), "query", now)
        ),
    }
    words = Words({"reference": "示执案〔2026〕17号", "description": canary("requested")})
    asker = Actor("zhzf", "agency", "officer", "zhzf-1", "session")
    draft_opening("request.received", CASE, asker, now, fields, words).append(service.ledger)


def _stored_secrets(service: Service) -> list[bytes]:
    """What must never be in any answer: hashes of passwords, tokens and sessions, keys of the instance."""
    found = [
        row[0]
        for statement in ("SELECT password FROM officers", "SELECT hash FROM tokens", "SELECT hash FROM sessions")
        for row in service.register.all(statement)
        if row[0]
    ]
    for file in sorted((service.instance.path / "keys").glob("*")):
        data = file.read_bytes()
        if file.suffix in (".pem", ".secret"):
            found += [data.hex(), data.decode("latin-1") if file.suffix == ".secret" else _body_of_pem(data)]
    return [value.encode("latin-1") for value in found]


def _body_of_pem(data: bytes) -> str:
    return data.decode("ascii").split("-----")[2].strip()


@contextmanager
def planted(template: Path, folder: Path, change: Callable[[Instance], Instance] | None = None) -> Iterator[World]:
    """A planted copy of the demonstration ``template``, in ``folder``."""
    shutil.copytree(template, folder)
    instance = Instance.open(folder)
    with asyncio.Runner() as runner:
        world = World(change(instance) if change else instance, runner)
        try:
            yield world
        finally:
            world.close()
