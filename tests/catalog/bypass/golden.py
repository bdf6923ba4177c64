"""The golden table: for each of our addresses, method and asker, what must come of it.

A cell is an outcome of :class:`tests.catalog.bypass.judge.Verdict`. In a target, ``{own}`` stands for an entry of the
asker's own agency; in a body, ``{asker}`` for the asker and ``{code}`` for the code of a purpose that is theirs. Where
``purpose`` is "stated", the request says what for, as the asker would.

A new route needs a line for each of its methods: put the line in with what it *should* give, or see what it gives now
with

    python -m tests.catalog.bypass.golden ROUTE

and ask of each cell whether it is right before it goes into the table.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from catalog.demo import build as demo_build
from tests.catalog.bypass.asking import Request, headers_of
from tests.catalog.bypass.judge import Verdict, judge
from tests.catalog.bypass.world import ASKERS, Asker, World, planted, rows_of
from tests.conftest import IN_PROCESS_URL

COLUMNS = ("route", "method", "target", "purpose", "body", *(asker.name for asker in ASKERS))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    route: str
    method: str
    target: str
    purpose: str
    body: str
    outcomes: dict[str, str]

    def request(self, world: World, asker: Asker) -> Request:
        target = self.target
        if "{own}" in target:
            newest = world.service.ledger.newest(1, where={"requester": asker.agency}) if asker.agency else []
            target = target.replace("{own}", str(newest[0]["seq"] if newest else 0))
        fields = []
        if self.body:
            form = "application/json" if self.body.startswith("{") else "application/x-www-form-urlencoded"
            fields.append(("content-type", form))
        body = self.body.replace("{asker}", asker.name).replace("{code}", asker.purpose)
        return Request(self.method, target.encode(), headers_of(fields), body.encode())


def table() -> list[Row]:
    return [
        Row(*(row[name] for name in COLUMNS[:5]), {a.name: row[a.name] for a in ASKERS})
        for row in rows_of("golden.csv")
    ]


def come_of(world: World, row: Row, asker: Asker) -> Verdict:
    """What comes of a line for one asker, in a session of its own where the line changes something."""
    request = row.request(world, asker)
    session = world.session_of(asker.login) if row.method == "POST" and asker.login else ""
    before = world.size
    response = world.ask(asker, request, session=session, states=bool(row.purpose))
    return judge(world, asker, request, response, before)


def main(*routes: str) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        demo_build.create(template, IN_PROCESS_URL)
        with planted(template, Path(folder) / "demo") as world:
            for row in table():
                if not routes or row.route in routes:
                    verdicts = [come_of(world, row, asker) for asker in ASKERS]
                    out.writerow(
                        [row.route, row.method, row.target, row.purpose, row.body, *(v.outcome for v in verdicts)]
                    )
                    for asker, verdict in zip(ASKERS, verdicts, strict=True):
                        for fault in verdict.faults:
                            print(f"{row.method} {row.target} {asker.name}: {fault}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
