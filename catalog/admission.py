"""What an authenticated request must have besides its credentials, and what becomes of failed ones. For the gate."""

from __future__ import annotations

import asyncio

from catalog.errors import AuthenticationError, ForbiddenError
from catalog.identity import duties, failures
from catalog.identity.actor import Actor
from catalog.routes import Access, Match, Route
from catalog.service import Service

#: All that opens to an officer with a one-time password.
BEFORE_CHANGE = frozenset({"account-password", "sign-out"})
#: What an officer who holds no role today still opens: their own account, where that is said.
WITHOUT_ROLE = frozenset({"account", "account-password", "account-sessions", "sign-out"})

#: What is recorded like a reading of the ledger, and asks for another duty.
_DUTIES = {
    "permissions": "permissions.explain",
    "agencies": "agency.see",
    "other-agency": "agency.see",
    "other-officer": "agency.see",
}


def must_change_first(actor: Actor, found: Match | None) -> bool:
    """Whether the officer has to choose a password of their own before this opens."""
    return actor.must_change and (found is None or found.route.name not in BEFORE_CHANGE)


def opens_catalog(actor: Actor) -> bool:
    """Whether anything of the catalog opens to an actor: not to a one-time password, not without a role today."""
    return not actor.must_change and duties.may(actor, "catalog.read")


def check(actor: Actor, route: Route) -> None:
    """Raise :class:`ForbiddenError` unless an actor of that role may call the route at all."""
    if route.name in _DUTIES:
        duties.require(actor, _DUTIES[route.name])
    elif route.access is Access.AUDIT and not duties.may(actor, "ledger.read"):
        raise ForbiddenError(
            "ledger.read",
            "only the supervising offices read the whole ledger; your own entries are under “Our queries”",
            "只有监督机构可以查阅全部台账；本单位的记录见“本单位的查询”",
        )
    if route.access is Access.OPERATION and not duties.may(actor, "service.figures"):
        raise ForbiddenError(
            "service.figures",
            "figures of the service are for the supervising offices and the operator",
            "服务运行指标仅供监督机构和运维单位查看",
        )
    # The agency's own queries and receipts too: opened, they hold what was asked about whom.
    if route.name not in WITHOUT_ROLE and not duties.may(actor, "catalog.read"):
        raise ForbiddenError(
            "catalog.read",
            "your account holds no role today, so nothing is opened to it; your agency's admin gives roles",
            "您的账号今天没有任何角色，故不予开放；角色由本单位管理员设定",
        )


async def note_failure(service: Service, error: AuthenticationError, auth: str, query: str) -> None:
    """What is registered and failed becomes an entry, now and then; what nobody has is only counted.

    Args:
        auth: signature or token: what was tried.
        query: method and target.

    Raises:
        LedgerError, RequestError: the entry cannot be made now.
    """
    if error.known is None:
        await asyncio.to_thread(service.unknown.count, auth)
        return
    attempts = await asyncio.to_thread(failures.due, service.register, error.known)
    if attempts is not None:
        fields, particulars = error.known.fields(attempts), {"query": query}
        await service.ledger.append_async("auth.failed", fields, particulars=particulars)
