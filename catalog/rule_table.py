"""Who may see which table, as rows in Datasette's internal database, written when the register changes.

Datasette asks its permission plugins for SQL at each check. Rules handed over inside the statement would be written
out and parsed again each time, a county's whole catalogue for one table; here the statement names a set of rows by
number. A set belongs to one agency and one state of the register, so a revocation is another set from the next request
on, in every worker, and a request under way keeps the set that it began with.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from datasette.permissions import PermissionSQL

from catalog.service import RegisterState, Service

if TYPE_CHECKING:
    from datasette.app import Datasette

#: Whose rules these are, where Datasette explains them. Named, because it mistakes the source of rules without a name.
SOURCE = "liandong"
#: Sets of earlier states that are kept for requests under way.
_KEPT = 64
#: So many verdicts are remembered: a few dozen for each officer who is at work.
_VERDICTS = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS liandong_rules (
  rule_set INTEGER, parent TEXT, child TEXT, allow INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (rule_set, parent, child)
) WITHOUT ROWID
"""


class Verdicts:
    """What Datasette has decided in the register's present state: it need not decide the same again for each request.

    Its own memory of permissions lives for one request. Nothing that its rules hang on changes between two requests but
    the register and the day; with either of them all is forgotten.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._state: RegisterState | None = None
        self._known: dict[Any, bool] = {}

    def now(self) -> dict[Any, bool]:
        """Verdicts by actor, action and resource, in the form of Datasette's own memory, which adds to them.

        A request under way may add what it was told after a change to the verdicts from before it; they are never read
        again by a later request.

        Raises:
            RequestError: 503, the register cannot be read.
        """
        state = self._service.register_state()
        if state != self._state or len(self._known) >= _VERDICTS:
            self._state, self._known = state, {}
        return self._known


class RuleTable:
    """The rules of one service in the internal database of its Datasette."""

    def __init__(self, datasette: Datasette, service: Service) -> None:
        self._database = datasette.get_internal_database()
        self._service = service
        self._sets: dict[tuple[str, str], tuple[RegisterState, int]] = {}
        self._numbers = itertools.count(1)
        self._made = False

    async def rules_for(self, actor: dict[str, Any]) -> PermissionSQL:
        """The rules on tables for ``actor`` in the register as it is now."""
        state = self._service.register_state()
        asker = actor["agency"], actor["role"]
        found = self._sets.get(asker)
        if found is None or found[0] != state:
            found = state, await self._write(actor)
            self._sets[asker] = found
        return PermissionSQL(
            sql="SELECT parent, child, allow, reason FROM liandong_rules WHERE rule_set = :liandong_rule_set",
            params={"liandong_rule_set": found[1]},
            source=SOURCE,
        )

    async def _write(self, actor: dict[str, Any]) -> int:
        number = next(self._numbers)
        rows = [(number, *rule) for rule in self._service.view_table_rules(actor)]
        in_use = {held for _, held in self._sets.values()}
        oldest = max(0, number - _KEPT)

        def write(db: Any) -> None:
            if not self._made:
                db.execute(_SCHEMA)
            db.executemany("INSERT INTO liandong_rules VALUES (?, ?, ?, ?, ?)", rows)
            for (old,) in db.execute(
                "SELECT DISTINCT rule_set FROM liandong_rules WHERE rule_set < ?", (oldest,)
            ).fetchall():
                if old not in in_use:
                    db.execute("DELETE FROM liandong_rules WHERE rule_set = ?", (old,))

        await self._database.execute_write_fn(write)
        self._made = True
        return number
