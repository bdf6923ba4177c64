"""What one request asks for: the resource, the purpose that was stated, and what was decided about it.

The gate makes it before anything is answered and puts it into the scope as ``liandong_asked``; a handler whose request
states its purpose itself (in a body) fills it in; the entry is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog import purpose_header, stated
from catalog.identity.agencies import agencies
from catalog.permissions import Decision
from catalog.purpose import Purpose, check_party
from ledger.items import SealedItems

if TYPE_CHECKING:
    from catalog.authentication import Credentials
    from catalog.service import Service

SCOPE_KEY = "liandong_asked"


@dataclass(slots=True)
class Asked:
    """What a request asks for.

    Attributes:
        resource: ``database/table``, or the name of a page.
        purpose: as it was stated and checked.
        decision: None where the resource is no table.
        reason: why it failed, an identifier, where nothing else in the entry says so.
        text: what was asked beside method and address; part of the particular ``query``.
        format: of the answer, where the route does not say it.
        resources: the tables of a batch that asks more than one.
        items: the look-ups of a batch.
        receipt: the receipt is wanted in the answer.
    """

    resource: str
    purpose: Purpose | None = None
    decision: Decision | None = None
    reason: str = ""
    text: str = ""
    format: str = ""
    resources: tuple[str, ...] = ()
    items: SealedItems | None = None
    receipt: bool = False

    def decide(self, service: Service, credentials: Credentials) -> Decision:
        """Decide for the purpose that was stated, and remember it."""
        code = self.purpose.code if self.purpose is not None else None
        self.decision = service.decision(credentials.actor, self.resource, code)
        return self.decision


def purpose_of(service: Service, credentials: Credentials, fields: Mapping[str, str], resource: str) -> Purpose | None:
    """The purpose of a request without a body: from its header field, else what its session stated for ``resource``.

    Args:
        fields: header fields by lower-case name.

    Raises:
        PurposeError: the header field is out of form, says nothing, or names others than the asker.
        RequestError: 422, a signature that does not cover it.
    """
    text = fields.get(purpose_header.NAME)
    if text is not None:
        if credentials.signature_base:
            purpose_header.check_signed(credentials.signature_base)
        said = purpose_header.read(text, [agency["id"] for agency in agencies(service.register)])
        return check_party(said, credentials.actor.agency)
    if credentials.session:
        found = stated.recall(service.register, credentials.session, resource)
        return found.purpose if found is not None else None
    return None
