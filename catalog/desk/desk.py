"""The desk of one instance: opening a case and every move in it, each as one function, for pages and calls alike.

Who may is asked of :mod:`catalog.identity.duties` and :mod:`ledger.cases.moves`; the entry is appended only if nobody
moved the case on meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from catalog.authentication import Credentials
from catalog.desk import ask as asking
from catalog.desk import linked
from catalog.desk.ask import REFERENCE_KINDS, Ask
from catalog.desk.errors import DeskError, FasterError, NoCaseError, NotAllowedError
from catalog.desk.files import Attachment, Files, Upload, attachments_of, check, fields_of, kind_of
from catalog.desk.openings import Opening as CaseOpening
from catalog.desk.renewal import Renewal
from catalog.desk.rulebooks import SHARING_CLASS, Rulebooks, clock_fields, sharing_class_of
from catalog.desk.shelf import FILE, Shelf
from catalog.errors import RequestError
from catalog.identity import duties, officers
from catalog.identity.actor import Actor
from catalog.identity.agencies import agencies
from catalog.listing import local_time
from catalog.service import Service
from ledger import ConflictError, LedgerUnavailableError, entries
from ledger.cases import (
    Act,
    Case,
    CaseDraft,
    Party,
    Words,
    allowed,
    allowed_to,
    append_again,
    draft_move,
    draft_opening,
    read_case,
)
from ledger.cases import (
    Actor as CaseActor,
)
from ledger.cases.moves import MOVES, who_may
from ledger.errors import EntryError, MoveError
from ledger.items import SealedItems
from ledger.log.commitment import Opening
from ledger.rule_archive import Archive
from ledger.rules import deadline
from ledger.rules.deadlines import SHANGHAI, stamp

_LETTERS = {Act.QUERY: "q", Act.APPLICATION: "a", Act.CORRECTION: "c", Act.TRANSFER: "t"}
#: How often what was stored for a form that then failed is looked for.
_TIDY_EVERY = timedelta(days=1)
#: So often another number is tried where somebody else took it at the same moment.
_TRIES = 20
#: In which role an officer of several acts.
_ASKING, _ANSWERING = ("officer", "approver", "answerer", "system"), ("approver", "answerer", "officer", "system")


@dataclass(frozen=True, slots=True)
class Move:
    """What a move says besides who makes it.

    Attributes:
        fields, particulars: of its kind (docs/spec/kinds.md).
        items: values of a table that goes with it, each provable alone.
        seen: the case's revision that whoever moves looked at; None: a program that does not say.
        once: keys that make it good once.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    particulars: Mapping[str, Any] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    items: Sequence[Mapping[str, Any]] = ()
    seen: int | None = None
    once: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """An entry that was made. ``again``: it was made before, by the same form or call."""

    number: str
    seq: int
    again: bool = False


class Desk:
    """The desk over one service. Threads share it; nothing here blocks but on disk."""

    def __init__(self, service: Service) -> None:
        folder = service.instance.path
        self.service = service
        self.ledger = service.ledger
        self.rules = Rulebooks(service.ledger, Archive(folder / "rules"))
        self.files = Files(folder / "files")
        self.shelf = Shelf(folder / FILE)
        self._tidied_at: datetime | None = None
        self._renewal = Renewal()
        service.closing(self.shelf.close)

    # -- looking ------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.service.now()

    def follow(self, most: int | None = None) -> int:
        """Bring the lists up to date; return how many entries of the ledger are still to be taken."""
        left, orphans = self.shelf.follow(self.ledger, most)
        self.files.discard(orphans)
        if left == 0 and self._renewal.go_on(self):
            self.shelf.follow(self.ledger, most)
        now = self.now()
        if left == 0 and (self._tidied_at is None or now - self._tidied_at > _TIDY_EVERY):
            self._tidied_at = now
            self.files.discard_unnamed(self.shelf.names)
        return left

    def case(self, actor: Actor, number: str, *, supervising: bool = False) -> Case:
        """A case that ``actor``'s agency is a party to, or that lies with it as the data authority.

        Args:
            supervising: a supervising office looks, and that is recorded (``audit.read``, or the move that it makes).

        Raises:
            DutyError: the account holds no role for the desk.
            NoCaseError: there is none, or it is between others.
        """
        duties.require(actor, "desk.see")
        try:
            case = read_case(self.ledger, number)
        except MoveError as error:
            if error.rule != "C1":
                raise
            raise NoCaseError() from error
        if not (
            actor.agency in (case.requester, case.provider)
            or (actor.role == "data_authority" and lies_with_authority(case))
            or (supervising and duties.may(actor, "ledger.read"))
        ):
            raise NoCaseError()
        linked.begin(self, case)
        return case

    def allowed(self, actor: Actor, case: Case) -> tuple[str, ...]:
        """The kinds of moves that ``actor`` could make now."""
        role = self._role(actor, case)
        party = _party(case, actor.agency, role)
        return allowed_to(case, stamp(self.now()), party, _held(actor)) if party is not None else ()

    def opened(self, seq: int) -> dict[str, Any]:
        """The particulars of an entry that are still kept."""
        return self.ledger.opened(seq)

    def items(self, seq: int) -> list[tuple[int, Any]]:
        """The values of an entry's table that were not erased, by their number."""
        proven = self.ledger.receipt(seq, with_openings=True).items
        return [(item.index, item.opening.value) for item in proven]

    def attachments(self, seq: int) -> tuple[Attachment, ...]:
        """The attachments that an entry brought."""
        return attachments_of(self.opened(seq).get("attachments"))

    def register_for(self, actor: Actor) -> asking.Register:
        """What is known of agencies and data when ``actor`` writes a request. Raises :class:`DutyError`."""
        duties.require(actor, "desk.see")
        register = self.service.register
        known = [each for each in agencies(register) if each["role"] in duties.PARTIES]
        approvers: dict[str, list[str]] = {}
        for each in officers.listing(register):
            if "approver" in each["roles"] and not each["disabled_at"]:
                approvers.setdefault(each["agency"], []).append(each["id"])
        published = register.all("SELECT database, table_name, provider FROM resources")
        return asking.Register(
            actor.agency,
            frozenset(each["id"] for each in known),
            {f"{row['database']}/{row['table_name']}": row["provider"] for row in published},
            approvers,
        )

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self, credentials: Credentials, wanted: Ask, *, once: tuple[str, ...] = ()) -> Done:
        """Send a request: its clock starts with its receipt, which is now unless it came otherwise.

        Raises:
            DutyError, DeskError: it is not to do, or cannot be; nothing was sent.
            LedgerUnavailableError: nothing was sent.
        """
        actor = credentials.actor
        duties.require(actor, "desk.ask" if wanted.requester == actor.agency else "desk.see")
        kept = self.files.keep(wanted.uploads)
        now = self.now()
        fields = {**_opening_fields(wanted), **self._clock(wanted, now), **fields_of(kept)[0]}
        particulars = {
            **_opening_words(wanted),
            **fields_of(kept)[1],
            **_proof(credentials, "request.received"),
        }
        values = [subject.to_value() for subject in wanted.subjects]
        return self._begin(credentials, "request.received", wanted.act, now, fields, particulars, values, once)

    def begin(self, credentials: Credentials, opening: CaseOpening, *, once: tuple[str, ...] = ()) -> Done:
        """Begin a case that is no request: a correction or a transfer. Raises as :meth:`open`."""
        duties.require(credentials.actor, "desk.see")
        kept = self.files.keep(opening.uploads)
        now = self.now()
        started = opening.started_at or now
        reckoned = deadline(
            self.rules.current(),
            opening.act.value,
            started,
            sharing_class=sharing_class_of(self.service, opening.fields.get("resource")),
        )
        clock = {"received_at": stamp(started), **clock_fields(reckoned)}
        fields = {**opening.fields, **clock, **fields_of(kept)[0]}
        words = {**opening.particulars, **fields_of(kept)[1], **_proof(credentials, opening.kind)}
        words = {name: value for name, value in words.items() if value not in ("", None)}
        return self._begin(credentials, opening.kind, opening.act, now, fields, words, (), once)

    def _begin(
        self,
        credentials: Credentials,
        kind: str,
        act: Act,
        now: datetime,
        fields: Mapping[str, Any],
        particulars: Mapping[str, Any],
        values: Sequence[Mapping[str, Any]],
        once: tuple[str, ...],
    ) -> Done:
        """The first entry of a case, under the next number of its day."""
        acting = self._acting(credentials.actor, "agency", _pick(credentials.actor, _ASKING))
        for _ in range(_TRIES):
            number = self._next_number(act, now)
            batch = self.seal(values)
            try:
                draft = draft_opening(kind, number, acting, now, fields, Words(particulars, batch))
                done = replace(draft, once=(*draft.once, *once)).append(self.ledger)
            except (EntryError, MoveError, LedgerUnavailableError) as error:
                raise _refused(error) from error
            except ConflictError:
                if (before := self._done_before(once)) is not None:
                    return before
                self.follow()
                continue
            self.follow()
            return Done(number, done.seq)
        raise RequestError(503, "too many requests at the same moment; send it again", "同一时刻请求过多；请重新提交")

    def _clock(self, wanted: Ask, now: datetime) -> dict[str, Any]:
        received = wanted.received_at or now
        published = self.service.resource(wanted.resource) if wanted.resource is not None else None
        given = deadline(
            self.rules.current(),
            wanted.act.value,
            received,
            sharing_class=SHARING_CLASS.get(published["sharing_class"]) if published is not None else None,
            urgent=wanted.is_urgent,
        )
        return {"received_at": stamp(received), **clock_fields(given)}

    def _next_number(self, act: Act, now: datetime) -> str:
        prefix = f"{_LETTERS[act]}-{now.astimezone(SHANGHAI):%Y%m%d}-"
        newest = self.shelf.newest_number(prefix)
        return f"{prefix}{int(newest.removeprefix(prefix)) + 1 if newest else 1:05d}"

    # -- moving -------------------------------------------------------------------------------------------------------

    def move(self, credentials: Credentials, number: str, wanted: Move) -> Done:
        """Make a move in a case.

        Raises:
            NoCaseError, DutyError: not the actor's.
            FasterError: somebody moved the case on since ``wanted.seen``; nothing was done.
            NotAllowedError, DeskError: the case does not allow it, or it is out of form; nothing was done.
            LedgerUnavailableError: nothing was done.
        """
        case = self.case(credentials.actor, number, supervising=True)
        if (before := self._done_before(wanted.once)) is not None:
            return before
        if wanted.seen is not None and wanted.seen != case.revision:
            raise self._faster(case)
        acting = self._who_moves(credentials.actor, case, wanted.kind)
        known = {person.seq: self.opened(person.seq).get("officer") for person in case.persons}
        kept: tuple[Attachment, ...] = ()
        if wanted.uploads:
            self._try(case, acting, wanted, known, credentials, _placeholders(wanted.uploads), None)
            kept = self.files.keep(wanted.uploads)
        batch = self.seal(wanted.items)
        try:
            done = append_again(
                self.ledger, case, lambda case: self._draft(case, acting, wanted, known, credentials, kept, batch)
            )
        except (EntryError, MoveError, LedgerUnavailableError) as error:
            raise _refused(error) from error
        except ConflictError as error:
            if (before := self._done_before(wanted.once)) is not None:
                return before
            raise self._faster(read_case(self.ledger, number)) from error
        linked.begin(self, read_case(self.ledger, number))
        self.follow()
        return Done(number, done.seq)

    def _draft(
        self,
        case: Case,
        acting: CaseActor,
        wanted: Move,
        known: Mapping[int, str | None],
        credentials: Credentials,
        kept: Sequence[Attachment],
        batch: SealedItems | None,
    ) -> CaseDraft:
        open_fields, words = fields_of(kept)
        fields = {**wanted.fields, **open_fields}
        particulars = {**wanted.particulars, **words, **_proof(credentials, wanted.kind)}
        words_given = Words({name: value for name, value in particulars.items() if value not in ("", None)}, batch)
        draft = draft_move(case, wanted.kind, acting, self.now(), fields, words_given, officers=known)
        return replace(draft, once=(*draft.once, *wanted.once))

    def _try(self, case: Case, *rest: Any) -> None:
        """Whether the move would be allowed, before a file of it is stored."""
        try:
            self._draft(case, *rest)
        except (EntryError, MoveError) as error:
            raise _refused(error) from error

    def _who_moves(self, actor: Actor, case: Case, kind: str) -> CaseActor:
        """The actor as the entry names them, in a role in which the move is theirs.

        Raises:
            NotAllowedError: in no role that they hold, or not now.
        """
        if kind not in MOVES:
            raise NotAllowedError(
                "C14",
                f"{kind[:60]!r} is no move of a case; possible are {', '.join(self.allowed(actor, case)) or 'none'}",
                f"{kind[:60]!r} 不是可办理的事项；目前可办理：{'、'.join(self.allowed(actor, case)) or '无'}",
            )
        role = self._role(actor, case)
        party = _party(case, actor.agency, role)
        held = _held(actor)
        now = [one for one in allowed(case, stamp(self.now())) if one.kind == kind and one.party is party]
        wanted = [duty for one in now for duty in one.duties] or list(MOVES[kind].who.get(party, ())) if party else []
        order = _ASKING if party is Party.REQUESTER else _ANSWERING
        duty = next((each for each in order if each in held and each in wanted), None)
        if duty is None and wanted:
            en, zh = who_may(MOVES[kind])
            raise NotAllowedError("C12", f"this is done by {en}", f"应由{zh}办理")
        return self._acting(actor, role, duty or _pick(actor, order))

    def _role(self, actor: Actor, case: Case) -> str:
        """In which role the actor's agency acts in the case."""
        if actor.agency in (case.requester, case.provider) or actor.role == "agency":
            return "agency"
        if actor.role == "data_authority":
            return "data_authority"
        return actor.office or "agency"

    @staticmethod
    def _acting(actor: Actor, role: str, duty: str) -> CaseActor:
        return CaseActor(actor.agency, role, duty, actor.officer, actor.auth, actor.keyid)

    def seal(self, values: Sequence[Mapping[str, Any]]) -> SealedItems | None:
        """The values of a table ready to go with an entry, each with its salt; None of an empty one."""
        if not values:
            return None
        salts = self.ledger.salts(len(values))
        return self.ledger.seal_items([Opening(salt, dict(value)) for salt, value in zip(salts, values, strict=True)])

    def _done_before(self, once: Sequence[str]) -> Done | None:
        """What a form or call that was sent before had done."""
        for key in once:
            seq = self.ledger.used(key)
            if seq is not None:
                return Done(self.ledger.entry(seq)["case"], seq, again=True)
        return None

    def _faster(self, case: Case) -> FasterError:
        entry = self.ledger.entry(case.revision)
        kind = entries.current(entry["kind"])
        names = {each["id"]: (each["name_en"], each["name_zh"]) for each in agencies(self.service.register)}
        by = entry.get("by", "")
        who = names.get(by, (by or "the program", by or "系统"))
        return FasterError((kind.title_en, kind.title_zh), who, local_time(entry["t"]), case.revision)


def lies_with_authority(case: Case) -> bool:
    """Whether the data authority has, or had, something to say in a case (条例 arts. 21, 28)."""
    return (
        case.extension_asked is not None
        or case.extended
        or any(dispute.step != "negotiation" for dispute in case.disputes)
    )


def _opening_fields(wanted: Ask) -> dict[str, Any]:
    return {
        "requester": wanted.requester,
        "provider": wanted.provider,
        **({"resource": wanted.resource} if wanted.resource is not None else {}),
        "purpose": wanted.purpose.code,
        "reference_kind": REFERENCE_KINDS[wanted.purpose.code],
        "channel": wanted.channel,
    }


def _opening_words(wanted: Ask) -> dict[str, Any]:
    words = {
        **wanted.purpose.particulars(),
        "description": wanted.description,
        "application": dict(wanted.application),
        "urgent_reason": wanted.urgent_reason,
        "approver": wanted.approver,
    }
    return {name: value for name, value in words.items() if value}


def _proof(credentials: Credentials, kind: str) -> dict[str, Any]:
    """Of a signed call, what the agency cannot deny: only kinds that know it."""
    known = entries.current(kind).particulars
    return {name: value for name, value in credentials.particulars().items() if name in known and name != "officer"}


def _placeholders(uploads: Sequence[Upload]) -> tuple[Attachment, ...]:
    """Attachments as an entry would name them, to try a move before a file is stored."""
    check(uploads)
    return tuple(Attachment(each.name, kind_of(each), len(each.content), "", "", "") for each in uploads)


def _held(actor: Actor) -> frozenset[str]:
    return frozenset({"system"}) if actor.officer is None else actor.roles


def _pick(actor: Actor, order: Sequence[str]) -> str:
    held = _held(actor)
    return next((duty for duty in order if duty in held), order[0])


def _party(case: Case, agency: str, role: str) -> Party | None:
    if role == "agency":
        return {case.requester: Party.REQUESTER, case.provider: Party.PROVIDER}.get(agency)
    return Party(role)


def _refused(error: EntryError | MoveError | LedgerUnavailableError) -> DeskError:
    if isinstance(error, LedgerUnavailableError):
        return DeskError("", error.en, error.zh, code="unavailable", status=503)
    rule = error.rule if isinstance(error, MoveError) else "form"
    return NotAllowedError(rule, error.en, error.zh)
