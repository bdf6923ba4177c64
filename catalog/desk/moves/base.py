"""What a kind of move takes from whoever makes it, for pages and calls alike: fields, and how they become an entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog import i18n
from catalog.desk.errors import DeskError

if TYPE_CHECKING:
    from catalog.desk.desk import Desk
    from catalog.query.shapes import Shape
    from ledger.cases import Case

Words = tuple[str, str]  # Chinese, English


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose."""

    value: str
    words: Words

    @property
    def title(self) -> str:
        return i18n.choose(*self.words)


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a move's form.

    Attributes:
        kind: ``text`` (several lines) | ``line`` | ``choice`` | ``number`` | ``files`` | ``rows`` (a pasted table) |
            ``sheet`` (one file with a table) | ``check`` | ``checks`` (several of ``options``) | ``day`` | ``moment`` |
            ``named`` (an object of a call, which a page of its own shows).
        options: of a choice; asked anew for each case.
        shown: whether a case's form has it at all.
        shape: of a call's member, where it is not what ``kind`` says.
    """

    name: str
    kind: str
    words: Words
    required: bool = False
    hint: Words = ("", "")
    options: Callable[[Looking], Sequence[Option]] | None = None
    shown: Callable[[Looking], bool] | None = None
    shape: Shape | None = None

    @property
    def title(self) -> str:
        return i18n.choose(*self.words)

    @property
    def help(self) -> str:
        return i18n.choose(*self.hint) if self.hint[0] else ""


@dataclass(frozen=True, slots=True)
class Looking:
    """A case in the eyes of who moves: ``now`` is the wall clock; ``officer`` the login, None for a system."""

    desk: Desk
    case: Case
    agency: str
    now: datetime
    officer: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a move says: open fields and particulars of its kind, and the values of a table."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    particulars: Mapping[str, Any] = field(default_factory=dict)
    items: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class MoveForm:
    """A kind of move as people make it.

    Attributes:
        slug: in addresses and calls.
        kind: of its entry.
        title, about: what it is called, and what comes of it.
        read: ``read(given, looking)``: what is said; raises :class:`DeskError` with the field at fault.
        danger: it ends something: the button says so.
        takes_files: attachments may come with it.
        offered: whether a case's page offers it, where the kind alone does not tell (an answer has several forms).
        template: of its page; ``context(given, looking)``: what that needs besides the fields.
    """

    slug: str
    kind: str
    title: Words
    about: Words
    fields: tuple[FormField, ...]
    read: Callable[[Mapping[str, Any], Looking], Said]
    danger: bool = False
    takes_files: bool = False
    offered: Callable[[Looking], bool] | None = None
    template: str = "desk_move.html"
    context: Callable[[Mapping[str, Any], Looking], Mapping[str, Any]] | None = None

    def is_offered(self, looking: Looking, kinds: Collection[str]) -> bool:
        """Whether it can be made now: ``kinds``, of the moves that the case allows to whoever looks."""
        return self.kind in kinds and (self.offered is None or self.offered(looking))

    @property
    def name(self) -> str:
        return i18n.choose(*self.title)

    @property
    def explained(self) -> str:
        return i18n.choose(*self.about)


def chosen(given: Mapping[str, Any], name: str, options: Sequence[Option]) -> str:
    """The value of a choice. Raises :class:`DeskError` where it is none of ``options``."""
    value = str(given.get(name) or "")
    if value not in [option.value for option in options]:
        en = ", ".join(f"{option.value} ({option.words[1]})" for option in options) or "nothing now"
        zh = "、".join(option.words[0] for option in options) or "（目前没有可选项）"
        raise DeskError(name, f"choose {name}: {en}", f"请选择：{zh}", code="missing")
    return value


def whole_number(given: Mapping[str, Any], name: str) -> int:
    """A whole number from 1. Raises :class:`DeskError`."""
    text = str(given.get(name) or "")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 10**9:
        raise DeskError(name, f"{name} is a whole number from 1", f"{name} 应为不小于 1 的整数")
    return int(text)
