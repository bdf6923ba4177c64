"""Who may do what: one table for pages and commands. Pure. DESIGN §5: no role both writes and certifies.

An act that no row names is nobody's. A row names the role of the agency, the roles of which the officer must hold one,
and how far it reaches: the officer's own agency, agencies of certain roles, or any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from catalog.errors import ForbiddenError, RequestError
from catalog.identity.actor import Actor

#: Of an agency; it has one, for good.
AGENCY_ROLES = ("agency", "supervisor", "data_authority", "operator")
#: Of an officer; several, but for :data:`APART`.
OFFICER_ROLES = ("officer", "answerer", "approver", "admin")

#: The operator answers and approves nothing: it writes down what others do.
OFFICER_ROLES_OF = {
    "agency": OFFICER_ROLES,
    "supervisor": OFFICER_ROLES,
    "data_authority": OFFICER_ROLES,
    "operator": ("officer", "admin"),
}
#: Roles that nobody holds at the same time, not even as a deputy, and why. An approver certifies what an answerer
#: drafted, who must be somebody else; whoever keeps the accounts could make that somebody else up, or take over the
#: answerer's account by a reset. That an answerer is also an approver is allowed: the case itself refuses an approver
#: who drafted it.
APART: dict[frozenset[str], tuple[str, str]] = {
    frozenset({"admin", "approver"}): (
        "whoever keeps the accounts could draft in another's name and approve it as themselves",
        "管理账号的人可以借他人账号拟稿、再由自己批准",
    )
}


class Nature(Enum):
    """What kind of power an act is; an agency's role never has both of the first two over others."""

    WRITES = "writes"  # decides who takes part: whose keys and accounts there are
    CERTIFIES = "certifies"  # vouches for others, or judges them
    DECIDES = "decides"  # opens and closes data
    OWN = "own"  # its own house


#: How far a row reaches.
OWN, ANY = frozenset({"own"}), frozenset(AGENCY_ROLES)
#: An agency's systems too, which have no officer's role.
ANYBODY = frozenset({"system", *OFFICER_ROLES})
_ADMIN = frozenset({"admin"})
_APPROVER = frozenset({"approver"})
_ASKS = frozenset({"officer", "approver", "system"})
#: Agencies of these roles ask and answer: the operator writes the ledger and is no party to what is in it.
PARTIES = ("agency", "supervisor", "data_authority")


@dataclass(frozen=True, slots=True)
class Duty:
    """A row: officers of ``role`` agencies who hold one of ``officers`` may do ``act`` to agencies of ``reach``.

    ``office``: of the supervising agencies, only the one that is named so (``office.named``).
    """

    act: str
    role: str
    officers: frozenset[str]
    reach: frozenset[str]
    nature: Nature
    office: str | None = None


def _each(act: str, officers: frozenset[str], roles: Iterable[str] = AGENCY_ROLES) -> tuple[Duty, ...]:
    """The same duty for the own agency in several agency roles."""
    return tuple(Duty(act, role, officers, OWN, Nature.OWN) for role in roles)


DUTIES: tuple[Duty, ...] = (
    # Agencies and the first account of each.
    Duty("agency.register", "operator", _ADMIN, ANY, Nature.WRITES),
    Duty("office.name", "operator", _ADMIN, frozenset({"supervisor"}), Nature.WRITES),
    Duty("agency.see", "operator", ANYBODY, ANY, Nature.OWN),
    Duty("agency.see", "supervisor", ANYBODY, ANY, Nature.OWN),
    Duty("officer.appoint_admin", "operator", _ADMIN, ANY, Nature.WRITES),
    # An administrator who cannot get in any more. The operator must not be able to take over a supervising office.
    Duty(
        "officer.rescue_admin",
        "operator",
        _ADMIN,
        frozenset({"agency", "data_authority", "operator"}),
        Nature.WRITES,
    ),
    Duty("officer.rescue_admin", "supervisor", _ADMIN, frozenset({"supervisor"}), Nature.OWN),
    *_each("officer.manage", _ADMIN),
    # Keys. Who endorses is checked by its signature (catalog/identity/key_statement.py), wherever it is made.
    Duty("key.endorse", "supervisor", ANYBODY, ANY, Nature.CERTIFIES),
    *_each("key.endorse", ANYBODY),
    Duty("key.add", "operator", _ADMIN, ANY, Nature.OWN),  # it adds what others signed, or nothing
    *_each("key.add", _ADMIN, ("agency", "supervisor", "data_authority")),
    *_each("key.revoke", _ADMIN),
    Duty("key.revoke", "supervisor", _ADMIN, ANY, Nature.CERTIFIES),
    Duty("key.see_rejected", "supervisor", ANYBODY, ANY, Nature.CERTIFIES),
    # Whoever makes a token can use it: nobody makes one for another agency.
    *_each("token.add", _ADMIN),
    *_each("token.revoke", _ADMIN),
    Duty("token.revoke", "supervisor", _ADMIN, ANY, Nature.CERTIFIES),
    # What is shared: the provider gives, the data authority publishes and suspends.
    *_each("grant.give", _ADMIN, ("agency", "supervisor", "data_authority")),
    *_each("grant.revoke", _ADMIN, ("agency", "supervisor", "data_authority")),
    Duty("resource.publish", "data_authority", _APPROVER, ANY, Nature.DECIDES),
    Duty("resource.withdraw", "data_authority", _APPROVER, ANY, Nature.DECIDES),
    Duty("access.suspend", "data_authority", _APPROVER, ANY, Nature.DECIDES),
    Duty("access.restore", "data_authority", _APPROVER, ANY, Nature.DECIDES),
    # The rules by which others are measured: who measures them does not adopt them. Whether a statute's article is a
    # ground of refusal is a judgement, and the justice bureau's alone: the inspection office supervises too, but that
    # is not its to say (DESIGN §3).
    Duty("rules.adopt", "data_authority", _APPROVER, ANY, Nature.DECIDES),
    Duty("ground.set", "supervisor", _APPROVER, ANY, Nature.CERTIFIES, office="justice"),
    # The catalog, as far as sharing classes and grants open it: whoever holds any role today.
    *(Duty("catalog.read", role, ANYBODY, ANY, Nature.OWN) for role in AGENCY_ROLES),
    # The request desk. What a case allows to whom, each move of it, is ledger.cases.moves.
    *(Duty("desk.ask", role, _ASKS, OWN, Nature.OWN) for role in PARTIES),
    *(Duty("desk.see", role, _ASKS | {"answerer"}, OWN, Nature.OWN) for role in PARTIES),
    Duty("service.figures", "operator", ANYBODY, ANY, Nature.OWN),
    Duty("service.figures", "supervisor", ANYBODY, ANY, Nature.OWN),
    # How the permissions come out: whoever looks after the program, and whoever looks after that.
    Duty("permissions.explain", "operator", ANYBODY, ANY, Nature.OWN),
    Duty("permissions.explain", "supervisor", ANYBODY, ANY, Nature.OWN),
    # Supervision.
    Duty("ledger.read", "supervisor", ANYBODY, ANY, Nature.CERTIFIES),
    Duty("anomaly.review", "supervisor", frozenset({"officer", "approver"}), ANY, Nature.CERTIFIES),
)
ACTS = tuple(dict.fromkeys(duty.act for duty in DUTIES))

#: Agencies of these roles provide data.
PROVIDERS = frozenset(PARTIES)

ACT_WORDS = {
    "agency.register": ("registers agencies", "登记单位"),
    "office.name": ("names which supervising office is which", "登记监督机构的职责"),
    "agency.see": ("sees the register of agencies", "查看单位名册"),
    "officer.appoint_admin": ("appoints an agency's first administrator", "为单位设立首个管理员"),
    "officer.rescue_admin": ("gives this administrator a new password", "为该管理员重置密码"),
    "officer.manage": ("keeps the accounts of this agency", "管理该单位的账号"),
    "key.endorse": ("endorses this key", "为该密钥背书"),
    "key.add": ("adds keys of this agency", "登记该单位的密钥"),
    "key.revoke": ("revokes keys of this agency", "吊销该单位的密钥"),
    "key.see_rejected": ("sees rejected keys", "查看未被接受的密钥"),
    "token.add": ("makes tokens for this agency", "为该单位发放令牌"),
    "token.revoke": ("revokes tokens of this agency", "吊销该单位的令牌"),
    "grant.give": ("gives grants for this agency's data", "授权他人查询该单位的数据"),
    "grant.revoke": ("revokes grants for this agency's data", "撤回对该单位数据的授权"),
    "resource.publish": ("publishes resources", "发布资源"),
    "resource.withdraw": ("withdraws resources", "撤回资源"),
    "access.suspend": ("suspends access", "暂停共享"),
    "access.restore": ("restores access", "恢复共享"),
    "rules.adopt": ("adopts rules and calendars", "采用规则和日历"),
    "ground.set": ("enables grounds of refusal", "启用和停用拒绝事由"),
    "catalog.read": ("queries the catalog", "查询目录"),
    "desk.ask": ("asks other agencies at the request desk", "在请求台向其他单位提出请求"),
    "desk.see": ("sees the requests to and from this agency", "查看本单位提出和收到的请求"),
    "service.figures": ("sees the figures of the service", "查看服务运行指标"),
    "permissions.explain": ("sees how permissions are decided for others", "核对其他单位的权限"),
    "ledger.read": ("reads the whole ledger", "查阅全部台账"),
    "anomaly.review": ("reviews anomalies", "核查异常"),
}
AGENCY_ROLE_WORDS = {
    "agency": ("an agency", "行政执法机关"),
    "supervisor": ("a supervising office", "监督机构"),
    "data_authority": ("the data authority", "数据主管部门"),
    "operator": ("the operator", "运维单位"),
}
OFFICE_WORDS = {
    "justice": ("the justice bureau", "县司法局"),
    "inspection": ("the government inspection office", "县政府督查室"),
}
OFFICER_ROLE_WORDS = {
    "officer": ("officer", "查询人员"),
    "answerer": ("answerer", "经办人"),
    "approver": ("approver", "负责人"),
    "admin": ("administrator", "管理员"),
}


class DutyError(ForbiddenError):
    """Not this actor's to do: 403, with the duty and who may."""

    def __init__(self, act: str) -> None:
        what_en, what_zh = ACT_WORDS[act]
        who = list(dict.fromkeys(_who(duty) for duty in DUTIES if duty.act == act))
        super().__init__(
            act,
            f"you are not the one who {what_en}; that is done by {', or by '.join(en for en, _ in who)}",
            f"您无权{what_zh}；应由{'，或'.join(zh for _, zh in who)}办理",
        )


class RolesError(RequestError):
    """Roles that an officer cannot have: 422."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(422, en, zh)


def may(actor: Actor, act: str, agency: str | None = None, role: str | None = None) -> bool:
    """Whether ``actor`` may do ``act``.

    Args:
        agency: the agency that it is done to; None: whether there is any.
        role: that agency's role.
    """
    held = actor.roles | {"system"} if actor.officer is None else actor.roles
    for duty in DUTIES:
        if duty.act != act or duty.role != actor.role or not duty.officers & held:
            continue
        if duty.office not in (None, actor.office):
            continue
        if agency is None or (duty.reach == OWN and agency == actor.agency) or role in duty.reach:
            return True
    return False


def require(actor: Actor, act: str, agency: str | None = None, role: str | None = None) -> None:
    """Raise :class:`DutyError` unless ``actor`` :func:`may` do ``act``."""
    if not may(actor, act, agency, role):
        raise DutyError(act)


def roles_to_any(act: str) -> frozenset[str]:
    """The agency roles whose agencies may do ``act`` to any agency."""
    return frozenset(duty.role for duty in DUTIES if duty.act == act and duty.reach == ANY)


def acts_of(actor: Actor) -> frozenset[str]:
    """What an actor may do to some agency: for navigation, which shows nothing that cannot be done."""
    return frozenset(act for act in ACTS if may(actor, act))


def check_roles(agency_role: str, roles: Iterable[str]) -> None:
    """Raise unless one officer of an agency of that role may hold all of ``roles`` at the same time.

    Raises:
        RolesError: a role that there is not, or two that are held apart, with the reason.
    """
    wanted = frozenset(roles)
    for role in sorted(wanted):
        if role not in OFFICER_ROLES_OF[agency_role]:
            can_en, can_zh = zip(*(OFFICER_ROLE_WORDS[each] for each in OFFICER_ROLES_OF[agency_role]), strict=True)
            raise RolesError(
                f"officers of {AGENCY_ROLE_WORDS[agency_role][0]} have no role {role!r}; there are {', '.join(can_en)} "
                f"({', '.join(OFFICER_ROLES_OF[agency_role])})",
                f"{AGENCY_ROLE_WORDS[agency_role][1]}的人员没有角色 {role!r}；可用的有{'、'.join(can_zh)}"
                f"（{'、'.join(OFFICER_ROLES_OF[agency_role])}）",
            )
    for apart, (why_en, why_zh) in APART.items():
        if apart <= wanted:
            one, other = sorted(apart)
            raise RolesError(
                f"nobody is {OFFICER_ROLE_WORDS[one][0]} and {OFFICER_ROLE_WORDS[other][0]} at the same time: {why_en};"
                " give one of the two to somebody else",
                f"{OFFICER_ROLE_WORDS[one][1]}与{OFFICER_ROLE_WORDS[other][1]}不能由一人同时担任：{why_zh}；"
                "请将其中一个角色交由他人",
            )


def _who(duty: Duty) -> tuple[str, str]:
    """The people of a row, in words."""
    agency_en, agency_zh = OFFICE_WORDS[duty.office] if duty.office else AGENCY_ROLE_WORDS[duty.role]
    if duty.reach == OWN:
        agency_en, agency_zh = "the agency itself", "该单位自己"
    if "system" in duty.officers:
        return agency_en, agency_zh
    roles = [OFFICER_ROLE_WORDS[role] for role in OFFICER_ROLES if role in duty.officers]
    return (
        f"an {' or '.join(en for en, _ in roles)} of {agency_en}",
        f"{agency_zh}的{'、'.join(zh for _, zh in roles)}",
    )
