"""What Datasette's own permission system says of a table, and by which rule. Depends on its version: docs/adr/0001.

It runs the same SQL as a request does, so what it says is what would happen, not what was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasette.app import Datasette

ACTION = "view-table"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that fits; ``scope``: resource, parent or global; ``effect``: allow or deny."""

    scope: str
    effect: str
    source: str
    reason: str
    decisive: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """Whether Datasette opens a table, and the rules that fit, the most specific first."""

    allowed: bool
    rules: tuple[Rule, ...]

    @property
    def decisive(self) -> Rule | None:
        """The rule that decided; None where none fits, which is a denial."""
        return next((rule for rule in self.rules if rule.decisive), None)


async def explain_table(datasette: Datasette, actor: dict[str, Any], database: str, table: str) -> Explained:
    """What Datasette says to ``actor`` of a table's own page."""
    # Not at import time: these modules load the plugins, this one among them.
    from datasette.resources import TableResource
    from datasette.utils.actions_sql import explain_permission_for_resource

    allowed = await datasette.allowed(action=ACTION, resource=TableResource(database, table), actor=actor)
    found = await explain_permission_for_resource(
        datasette=datasette, actor=actor, action=ACTION, parent=database, child=table
    )
    rules = tuple(
        Rule(rule["scope"], rule["effect"], str(rule["source"]), str(rule["reason"]), bool(rule["decisive"]))
        for rule in found["matched_rules"]
    )
    return Explained(bool(allowed), rules)
