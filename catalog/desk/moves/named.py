"""Members of calls that are tables of names: what a ground demands, answers to its questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.query.errors import BodyError

_MAX_MEMBERS = 20
_MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Named:
    """An object whose members are all of one ``kind``: ``string`` or ``boolean``."""

    kind: str

    def check(self, value: Any, where: str) -> None:
        wanted = str if self.kind == "string" else bool
        good = isinstance(value, dict) and len(value) <= _MAX_MEMBERS
        if not good or not all(type(each) is wanted and len(str(each)) <= _MAX_LENGTH for each in value.values()):
            raise BodyError(
                where,
                f"want an object of at most {_MAX_MEMBERS} members, each a {self.kind}",
                f"应为不超过 {_MAX_MEMBERS} 个成员的对象，成员类型为 {self.kind}",
            )

    def schema(self) -> dict[str, Any]:
        each = {"type": self.kind, **({"maxLength": _MAX_LENGTH} if self.kind == "string" else {})}
        return {"type": "object", "additionalProperties": each, "maxProperties": _MAX_MEMBERS}
