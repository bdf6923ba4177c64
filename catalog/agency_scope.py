"""Whose register a page is about: the own agency's for its administrator, another's for those who may see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from datasette import Response
from datasette.utils.asgi import Request

from catalog.administration import Administration
from catalog.authentication import Credentials
from catalog.errors import RequestError
from catalog.forms import new_once, redirect, render_private, said, sent_before
from catalog.i18n import choose, gettext
from catalog.identity import agencies, duties
from catalog.identity.actor import Actor
from catalog.service import Service
from ledger import BilingualError, ConflictError, LedgerUnavailableError

if TYPE_CHECKING:
    from datasette.app import Datasette

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AgencyScope:
    """One agency's register as one actor may change it.

    Attributes:
        base: the path of its page: ``/agency`` or ``/agencies/id/ID``.
    """

    datasette: Datasette
    service: Service
    request: Request
    agency: dict[str, str]
    base: str
    own: bool
    office: Administration

    @classmethod
    def of(cls, datasette: Datasette, service: Service, request: Request) -> AgencyScope:
        """The scope of a request.

        Raises:
            RequestError: 404, no such agency; 403, the actor may neither keep nor see it.
        """
        office = administration(service, request)
        other = request.url_vars.get("agency")
        agency_id = other or office.actor.agency
        duties.require(office.actor, "agency.see" if other else "officer.manage")
        agency = agencies.find(service.register, agency_id)
        if agency is None:
            raise RequestError(404, f"agency {agency_id!r} is not registered", f"单位 {agency_id!r} 未登记")
        base = f"/agencies/id/{agency_id}" if other else "/agency"
        return cls(datasette, service, request, agency, base, not other, office)

    @property
    def actor(self) -> Actor:
        return self.office.actor

    def may(self, act: str) -> bool:
        """Whether the actor may do ``act`` to this agency."""
        return duties.may(self.actor, act, self.agency["id"], self.agency["role"])

    def require(self, act: str) -> None:
        """Raise :class:`DutyError` unless the actor :meth:`may`."""
        duties.require(self.actor, act, self.agency["id"], self.agency["role"])

    async def render(self, template: str, about: dict[str, Any], status: int = 200) -> Response:
        """A page about this agency, which nobody keeps."""
        common = {
            "section": "agency" if self.own else "agencies",
            "agency": self.agency,
            "agency_name": choose(self.agency["name_zh"], self.agency["name_en"]),
            "base": self.datasette.urls.path(self.base),
            "own": self.own,
            "once": new_once(),
            "done": done_message(self.request.args.get("done", "")),
        }
        return await render_private(self.datasette, self.request, template, {**common, **about}, status)

    def redirect(self, done: str, path: str = "") -> Response:
        """To a page below the agency's, which says what was done."""
        return redirect(self.datasette, f"{self.base}{path}?done={done}")


def administration(service: Service, request: Request) -> Administration:
    """The register in the hands of whoever asks."""
    credentials: Credentials = request.scope["liandong_credentials"]
    return Administration(service.instance, service.register, service.ledger, credentials.actor)


def attempt(act: Callable[[], T]) -> tuple[T | None, str, int]:
    """Do ``act`` for a form: what it returned, what is wrong in the reader's language, and the status.

    Raises:
        LedgerUnavailableError: nothing can be written now; that is no mistake of the form.
    """
    try:
        return act(), "", 200
    except LedgerUnavailableError:
        raise
    except ConflictError as error:
        again = sent_before(error)
        return None, said(again), again.status
    except BilingualError as error:
        return None, said(error), error.status if isinstance(error, RequestError) else 422


def done_message(done: str) -> str:
    """What a page says after a form was done; empty for a word that means nothing."""
    words = {
        "roles": gettext("The roles are changed."),
        "deputy": gettext("The deputy is named."),
        "end-deputy": gettext("The deputy's time has ended."),
        "disable": gettext("The account is disabled; its sessions have ended."),
        "enable": gettext("The account is open again."),
        "unlock": gettext("The officer can sign in again at once."),
        "key-add": gettext("The key is registered and can sign from now on."),
        "key-revoke": gettext("The key is revoked; requests signed with it fail from now on."),
        "token-revoke": gettext("The token is revoked; it fails from now on."),
        "register": gettext("The agency is registered. Appoint its first administrator below."),
        "sessions": gettext("The sessions have ended."),
        "password": gettext("The password is changed. Your other sessions have ended."),
    }
    return words.get(done, "")
