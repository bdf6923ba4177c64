"""Whether every entry of every case was allowed, and what one case alone cannot show: roles, links, batches, causes.

Pure: it takes decoded entries whose chain, tree and signatures were verified before. What only the rules can say, the
due instant and the lawfulness of a ground, is asked of functions that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.case_kinds import ALL
from ledger.cases.case import Case
from ledger.cases.fold import apply
from ledger.cases.opening import OPENINGS
from ledger.entries import check_entry
from ledger.errors import EntryError, MoveError

Entry = Mapping[str, Any]
#: ``recount(entry, act, stop, since)``: raises where what the entry says of its clock (due_at, rule, digests) is not
#: what the rules give for the act that began at ``since``.
Recount = Callable[[Entry, str, str, str], None]
#: ``gate(entry, case)``: raises where the ground of ``request.refused`` was not lawful on its face that day.
Gate = Callable[[Entry, Case], None]

_CASE_KINDS = frozenset(kind.name for kind in ALL if "case" in kind.fields)
#: What may cause a deadline to be set anew.
_CAUSES = frozenset({"calendar.adopted", "rule.adopted", "register.adopted", "rules.adopted"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An entry that should not be there as it is. ``rule``: of docs/spec/cases.md, or the error's name."""

    seq: int
    case: str
    rule: str
    en: str
    zh: str


@dataclass(slots=True)
class _World:
    """What was read so far."""

    cases: dict[str, Case] = field(default_factory=dict)
    roles: dict[str, Entry] = field(default_factory=dict)  # agency -> its newest registration
    offices: dict[str, str] = field(default_factory=dict)  # agency -> justice | inspection
    batches: dict[str, str] = field(default_factory=dict)  # batch -> database/table
    causes: set[int] = field(default_factory=set)
    promised: dict[str, tuple[str, str, Entry]] = field(default_factory=dict)  # linked case -> parent, to, entry


def findings(
    entries: Iterable[Entry], *, recount: Recount | None = None, gate: Gate | None = None
) -> Iterator[Finding]:
    """Whatever is wrong with the cases in a log, in its order; an entry that was not allowed has no effect.

    Args:
        entries: all entries of the log, or those of case kinds, ``agency.registered``, ``office.named``,
            ``batch.ingested`` and those that change rules or calendars; by number.
    """
    world = _World()
    last = 0
    for entry in entries:
        last = entry["seq"]
        before = world.cases.get(str(entry.get("case")))
        try:
            if entry["kind"] not in _CASE_KINDS:
                _learn(world, entry)
                continue
            after = apply(before, entry)
            _check_actor(world, entry)
            _check_across(world, before, after, entry)
            _check_rules(before, after, entry, recount, gate)
        except (EntryError, MoveError) as error:
            yield _finding(entry, error)
            continue
        world.cases[after.id] = after
        if "linked" in entry:
            world.promised[entry["linked"]] = (after.id, entry["to"], entry)
    for name, (parent, _, entry) in world.promised.items():
        if name not in world.cases and entry["seq"] != last:
            yield Finding(
                entry["seq"],
                parent,
                "C82",
                f"entry {entry['seq']} passes case {parent} on as {name}, which was never begun",
                f"第 {entry['seq']} 条将案件 {parent} 转为 {name}，但后者从未开始",
            )


def check_cases(entries: Iterable[Entry], *, recount: Recount | None = None, gate: Gate | None = None) -> int:
    """Raise unless every entry of every case was allowed; return how many cases there are.

    Raises:
        MoveError: the first :class:`Finding`, with its rule.
    """
    count = 0

    def counted() -> Iterator[Entry]:
        nonlocal count
        for entry in entries:
            count += entry["kind"] in OPENINGS
            yield entry

    for finding in findings(counted(), recount=recount, gate=gate):
        raise MoveError(
            finding.rule,
            f"entry {finding.seq} ({finding.case}): {finding.en}",
            f"第 {finding.seq} 条（{finding.case}）：{finding.zh}",
        )
    return count


def check_persons(case: Case, entries: Iterable[Entry], officers: Mapping[int, str | None]) -> None:
    """Raise unless the numbers of persons stand for the officers that the entries commit to: one number, one officer.

    Args:
        officers: the particular ``officer`` of each entry, opened and checked; None where it was erased.

    Raises:
        MoveError: rule C84, one person under two numbers or two under one.
    """
    numbers: dict[tuple[str, str], int] = {}
    names: dict[tuple[str, int], str] = {}
    for entry in entries:
        officer, number = officers.get(entry["seq"]), entry.get("by_person")
        if officer is None or number is None:
            continue
        agency = entry["by"]
        if (
            numbers.setdefault((agency, officer), number) != number
            or names.setdefault((agency, number), officer) != officer
        ):
            raise MoveError(
                "C84",
                f"case {case.id}: person {number} of {agency} in entry {entry['seq']} is not who it was before",
                f"案件 {case.id}：第 {entry['seq']} 条中 {agency} 第 {number} 人与此前不是同一人",
            )


def _finding(entry: Entry, error: EntryError | MoveError) -> Finding:
    rule = error.rule if isinstance(error, MoveError) else type(error).__name__
    return Finding(entry["seq"], str(entry.get("case", "")), rule, error.en, error.zh)


_LEARNT = frozenset({"agency.registered", "office.named", "batch.ingested", *_CAUSES})


def _learn(world: _World, entry: Entry) -> None:
    if entry["kind"] not in _LEARNT:
        return
    check_entry(entry)
    match entry["kind"]:
        case "agency.registered":
            world.roles[entry["agency"]] = entry
        case "office.named":
            # The first naming holds: whoever writes the ledger makes nobody else the judge afterwards.
            if entry["agency"] not in world.offices and entry["office"] not in world.offices.values():
                world.offices[entry["agency"]] = entry["office"]
        case "batch.ingested":
            world.batches[entry["batch"]] = f"{entry['database']}/{entry['table']}"
        case _:
            world.causes.add(entry["seq"])


def _check_actor(world: _World, entry: Entry) -> None:
    """C83: who acts is registered, and in that role; the operator of the ledger is a party to nothing."""
    if "by" not in entry:
        return
    by, role = entry["by"], entry["by_role"]
    registered = world.roles.get(by, {}).get("role")
    good = {
        "agency": registered in ("agency", "supervisor", "data_authority"),
        "data_authority": registered == "data_authority",
        "justice": registered == "supervisor" and world.offices.get(by) == "justice",
        "inspection": registered == "supervisor" and world.offices.get(by) == "inspection",
    }
    if not good[role]:
        raise MoveError(
            "C83",
            f"{by} acts as {role}, but is registered as {registered or 'nothing'}"
            + (f", named as {world.offices.get(by, 'no office')}" if registered == "supervisor" else ""),
            f"{by} 以 {role} 身份办理，但其登记为 {registered or '（未登记）'}"
            + (f"，监督职责 {world.offices.get(by, '（无）')}" if registered == "supervisor" else ""),
        )


def _check_across(world: _World, before: Case | None, after: Case, entry: Entry) -> None:
    if before is None:
        for agency in (after.requester, after.provider):
            if world.roles.get(agency, {}).get("role") not in ("agency", "supervisor", "data_authority"):
                raise MoveError("C83", f"{agency} is not registered as an agency", f"{agency} 未登记为单位")
        if after.parent is not None or after.id in world.promised:
            _check_link(world, after, entry)
        return
    match entry["kind"]:
        case "correction.answered" if "batch" in entry:
            if world.batches.get(entry["batch"]) != after.resource:
                raise MoveError(
                    "C85",
                    f"batch {entry['batch']} is no earlier batch of {after.resource}",
                    f"批次 {entry['batch']} 不是此前入库 {after.resource} 的批次",
                )
        case "deadline.set" if entry["cause"] not in world.causes:
            raise MoveError(
                "C86",
                f"entry {entry['cause']} adopts neither a calendar nor rules",
                f"第 {entry['cause']} 条并非采用日历或规则",
            )
        case "superior.notified" if not world.roles.get(entry["agency"], {}).get("superior"):
            raise MoveError(
                "C87",
                f"{entry['agency']} is registered with no superior agency",
                f"{entry['agency']} 未登记上一级主管部门",
            )
        case "request.answered" | "request.assigned" if "linked" in entry:
            if entry["linked"] in world.cases or entry["linked"] in world.promised:
                raise MoveError("C82", f"case {entry['linked']} exists already", f"案件 {entry['linked']} 已存在")


def _check_link(world: _World, case: Case, entry: Entry) -> None:
    """C81: a linked case is what a redirect or a supervisor promised: for whom, to whom, since when, by whom."""
    parent, to, cause = world.promised.get(case.id, ("", "", {}))
    before = world.cases.get(parent)
    good = (
        before is not None
        and case.parent == parent
        and (case.requester, case.provider, case.act) == (before.requester, to, before.act)
        and case.redirects == before.redirects + 1
        and case.received_at == cause["t"]
        and entry["by"] == cause["by"]
        and entry["by_role"] == cause["by_role"]
    )
    if not good:
        raise MoveError(
            "C81",
            f"case {case.id} names {case.parent} as the one before it, which did not pass it on like this: to whom, "
            "for whom, when and by whom must agree",
            f"案件 {case.id} 称由 {case.parent} 转来，但与该案转办记录不符：接收单位、查询方、时间和办理单位应一致",
        )


def _check_rules(before: Case | None, after: Case, entry: Entry, recount: Recount | None, gate: Gate | None) -> None:
    if recount is not None and "clock" in entry:
        newest = after.deadlines[-1]
        recount(entry, after.act, newest.stop, newest.since)
    if gate is not None and entry["kind"] == "request.refused" and before is not None:
        gate(entry, before)
