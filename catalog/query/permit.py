"""What of a table an agency may have for its purpose: the schema, and which of its columns.

Raised is always with what decided: ``asked`` keeps purpose and decision, from which the entry is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import purpose
from catalog.asking import Asked, purpose_of
from catalog.authentication import Credentials
from catalog.identity.agencies import agencies
from catalog.permissions import Decision
from catalog.purpose import Purpose, PurposeError
from catalog.query.errors import DeniedError, NoColumnsError, QueryError
from catalog.query.schema import Column, Schemas, TableSchema
from catalog.service import Service

#: So many permits are remembered; then all are forgotten.
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Permit:
    """A table that may be asked, and the columns that may be had of it, in stored order."""

    schema: TableSchema
    columns: Mapping[str, Column]


class Permits:
    """Who may have what, of one service."""

    def __init__(self, service: Service, schemas: Schemas) -> None:
        self._service = service
        self._schemas = schemas
        self._made: dict[tuple[str, tuple[str, ...] | None], Permit] = {}

    def purpose(
        self, stated: Mapping[str, Any] | None, credentials: Credentials, fields: Mapping[str, str], resource: str
    ) -> Purpose | None:
        """The purpose as a request states it: in its body, else as one without a body does. None where it states none.

        Args:
            stated: the body's.
            fields: header fields by lower-case name.

        Raises:
            RequestError: 422, it says nothing, or a signature does not cover it.
        """
        if stated is None:
            return purpose_of(self._service, credentials, fields, resource)
        # Who takes part is looked up only where somebody is said to.
        known = [agency["id"] for agency in agencies(self._service.register)] if stated.get("participants") else []
        try:
            return purpose.check_party(purpose.parse(stated, known), credentials.actor.agency)
        except PurposeError as error:
            raise QueryError(422, "purpose", error.en, error.zh, where=f"purpose.{error.field}") from error

    def decide(self, asked: Asked, credentials: Credentials) -> Permit:
        """What may be had of ``asked.resource`` for ``asked.purpose``.

        Raises:
            DeniedError: it is not open, or not for this purpose.
            QueryError: 404, the published table is not there; 403, no column of the grant is.
        """
        decision = asked.decide(self._service, credentials)
        if not decision.allowed:
            raise DeniedError(decision)
        schema = self._schemas.table(*asked.resource.split("/", 1))
        if schema is None:
            raise QueryError(
                404,
                "no_table",
                f"the table {asked.resource} is published but not there; tell the operator",
                f"数据表 {asked.resource} 已发布但不存在；请告知运维单位",
            )
        permit = self._made.get((asked.resource, decision.columns))
        if permit is None or permit.schema is not schema:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            permit = self._made[asked.resource, decision.columns] = _permit(schema, decision)
        return permit


def _permit(schema: TableSchema, decision: Decision) -> Permit:
    opened = decision.columns
    columns = {name: column for name, column in schema.columns.items() if opened is None or name in opened}
    if not columns:
        raise NoColumnsError(
            decision.basis,
            f"the grant {decision.grant_id} opens columns that the table no longer has; ask the provider to renew it",
            f"授权 {decision.grant_id} 所列字段在表中已不存在；请联系提供单位更新授权",
        )
    return Permit(schema, columns)
