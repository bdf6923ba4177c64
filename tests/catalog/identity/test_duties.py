"""Who may do what, as a table: every act by every kind of actor, and that nobody both writes and certifies."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.identity import duties
from catalog.identity.actor import Actor
from catalog.identity.duties import (
    ACTS,
    AGENCY_ROLES,
    APART,
    DUTIES,
    OFFICER_ROLES,
    OFFICER_ROLES_OF,
    OWN,
    DutyError,
    Nature,
    RolesError,
    may,
)


def actor(role: str, *roles: str, officer: str | None = "x-1", office: str | None = "justice") -> Actor:
    """An officer of agency ``x`` of that role, or with ``officer=None`` a system of it; a supervisor's the bureau's."""
    named = office if role == "supervisor" else None
    return Actor("x", "某单位", "Some agency", role, "session", officer=officer, roles=frozenset(roles), office=named)


#: The whole table: act -> agency role -> (which officer roles may do it, to whom). "own": to the own agency only;
#: "any": to any; else the roles of the agencies to which. What is not here, nobody may.
TABLE: dict[str, dict[str, tuple[set[str], str]]] = {
    "agency.register": {"operator": ({"admin"}, "any")},
    "agency.see": {
        "operator": ({"officer", "admin", "system"}, "any"),
        "supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
    },
    "officer.appoint_admin": {"operator": ({"admin"}, "any")},
    "officer.rescue_admin": {
        "operator": ({"admin"}, "agency data_authority operator"),
        "supervisor": ({"admin"}, "supervisor"),
    },
    "officer.manage": {role: ({"admin"}, "own") for role in AGENCY_ROLES},
    "key.endorse": {
        "supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
        "agency": ({"officer", "answerer", "approver", "admin", "system"}, "own"),
        "data_authority": ({"officer", "answerer", "approver", "admin", "system"}, "own"),
        "operator": ({"officer", "admin", "system"}, "own"),
    },
    "key.add": {
        "operator": ({"admin"}, "any"),
        "agency": ({"admin"}, "own"),
        "supervisor": ({"admin"}, "own"),
        "data_authority": ({"admin"}, "own"),
    },
    "key.revoke": {
        "agency": ({"admin"}, "own"),
        "data_authority": ({"admin"}, "own"),
        "operator": ({"admin"}, "own"),
        "supervisor": ({"admin"}, "any"),
    },
    "key.see_rejected": {"supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any")},
    "token.add": {role: ({"admin"}, "own") for role in AGENCY_ROLES},
    "token.revoke": {
        "agency": ({"admin"}, "own"),
        "data_authority": ({"admin"}, "own"),
        "operator": ({"admin"}, "own"),
        "supervisor": ({"admin"}, "any"),
    },
    "grant.give": {role: ({"admin"}, "own") for role in ("agency", "supervisor", "data_authority")},
    "grant.revoke": {role: ({"admin"}, "own") for role in ("agency", "supervisor", "data_authority")},
    "resource.publish": {"data_authority": ({"approver"}, "any")},
    "resource.withdraw": {"data_authority": ({"approver"}, "any")},
    "access.suspend": {"data_authority": ({"approver"}, "any")},
    "access.restore": {"data_authority": ({"approver"}, "any")},
    "rules.adopt": {"data_authority": ({"approver"}, "any")},
    "ground.set": {"supervisor": ({"approver"}, "any")},  # of the two offices, the justice bureau's: see below
    "office.name": {"operator": ({"admin"}, "supervisor")},
    "service.figures": {
        "operator": ({"officer", "admin", "system"}, "any"),
        "supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
    },
    "permissions.explain": {
        "operator": ({"officer", "admin", "system"}, "any"),
        "supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
    },
    "catalog.read": {
        "agency": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
        "supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
        "data_authority": ({"officer", "answerer", "approver", "admin", "system"}, "any"),
        "operator": ({"officer", "admin", "system"}, "any"),
    },
    "desk.ask": {
        role: ({"officer", "approver", "system"}, "own") for role in ("agency", "supervisor", "data_authority")
    },
    "desk.see": {
        role: ({"officer", "answerer", "approver", "system"}, "own")
        for role in ("agency", "supervisor", "data_authority")
    },
    "ledger.read": {"supervisor": ({"officer", "answerer", "approver", "admin", "system"}, "any")},
    "anomaly.review": {"supervisor": ({"officer", "approver"}, "any")},
}


def test_the_table_names_every_act() -> None:
    assert set(TABLE) == set(ACTS)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("role", AGENCY_ROLES)
def test_every_act_by_everybody_to_everybody(act: str, role: str) -> None:
    who, reach = TABLE[act].get(role, (set(), ""))
    for held in (*OFFICER_ROLES_OF[role], "system", None):
        officer = None if held == "system" else "x-1"
        asker = actor(role, *([held] if held and officer else []), officer=officer)
        allowed = held in who
        assert may(asker, act) is allowed, (held, "anybody")
        assert may(asker, act, "x", role) is (allowed and (reach in ("own", "any") or role in reach)), (held, "own")
        for other in AGENCY_ROLES:
            expected = allowed and (reach == "any" or other in reach.split())
            assert may(asker, act, "y", other) is expected, (held, other)


def test_an_officer_without_a_role_today_may_do_nothing() -> None:
    for role in AGENCY_ROLES:
        assert duties.acts_of(actor(role)) == frozenset()


def test_nobody_both_writes_who_takes_part_and_certifies_what_they_did() -> None:
    for role in AGENCY_ROLES:
        natures = {duty.nature for duty in DUTIES if duty.role == role and duty.reach != OWN}
        assert not {Nature.WRITES, Nature.CERTIFIES} <= natures, role
        assert not {Nature.DECIDES, Nature.CERTIFIES} <= natures, role
    assert {duty.role for duty in DUTIES if duty.nature is Nature.WRITES} == {"operator"}
    assert {duty.role for duty in DUTIES if duty.nature is Nature.CERTIFIES} == {"supervisor"}


def test_of_the_supervising_offices_the_justice_bureau_alone_enables_grounds() -> None:
    assert may(actor("supervisor", "approver", office="justice"), "ground.set")
    for office in ("inspection", None):
        assert not may(actor("supervisor", "approver", office=office), "ground.set")
        assert may(actor("supervisor", "approver", office=office), "ledger.read")
    with pytest.raises(DutyError) as caught:
        duties.require(actor("supervisor", "approver", office="inspection"), "ground.set")
    assert "县司法局的负责人" in caught.value.zh and "the justice bureau" in caught.value.en


def test_the_operator_cannot_make_itself_anybody_elses_voice() -> None:
    operator = actor("operator", "officer", "admin")
    for other in ("agency", "supervisor", "data_authority"):
        for act in ("officer.manage", "token.add", "key.revoke", "grant.give", "key.endorse"):
            assert not may(operator, act, "y", other), (act, other)
    assert not may(operator, "officer.rescue_admin", "y", "supervisor")
    assert "operator" not in duties.PROVIDERS


@pytest.mark.parametrize("act", ACTS)
def test_a_refusal_says_in_both_languages_who_may(act: str) -> None:
    with pytest.raises(DutyError) as caught:
        duties.require(actor("agency"), act)
    assert caught.value.status == 403
    assert "done by" in caught.value.en and "应由" in caught.value.zh
    assert not set("\n{}") & set(caught.value.en + caught.value.zh)


# -- roles that are held apart ----------------------------------------------------------------------------------------


@given(st.sampled_from(AGENCY_ROLES), st.sets(st.sampled_from(OFFICER_ROLES)))
def test_a_set_of_roles_is_taken_if_the_agency_has_them_and_none_are_apart(role: str, wanted: set[str]) -> None:
    good = wanted <= set(OFFICER_ROLES_OF[role]) and not any(pair <= wanted for pair in APART)
    if good:
        duties.check_roles(role, wanted)
    else:
        with pytest.raises(RolesError):
            duties.check_roles(role, wanted)


def test_who_keeps_the_accounts_does_not_approve_and_the_reason_is_said() -> None:
    with pytest.raises(RolesError, match=r"administrator and approver.*another's name") as caught:
        duties.check_roles("agency", ["admin", "officer", "approver"])
    assert "管理员与负责人不能由一人同时担任" in caught.value.zh


def test_an_answerer_may_also_approve_since_the_case_itself_keeps_drafter_and_approver_apart() -> None:
    duties.check_roles("agency", ["answerer", "approver"])


@pytest.mark.parametrize(
    ("agency_role", "role"), [("operator", "approver"), ("operator", "answerer"), ("agency", "boss")]
)
def test_a_role_that_the_agency_does_not_have_is_named_with_those_it_has(agency_role: str, role: str) -> None:
    with pytest.raises(RolesError, match=f"no role '{role}'.*officer"):
        duties.check_roles(agency_role, [role])


def test_every_agency_role_has_an_administrator_and_pairs_apart_are_of_two() -> None:
    assert all("admin" in held for held in OFFICER_ROLES_OF.values())
    assert all(len(pair) == 2 for pair in APART)
    assert all(set(held) <= set(OFFICER_ROLES) for held in OFFICER_ROLES_OF.values())
    assert set(itertools.chain.from_iterable(APART)) <= set(OFFICER_ROLES)
