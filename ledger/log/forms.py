"""Recognising entries by their bytes, where decoding each one would be most of a verification's time.

A *form* is learnt from an entry that was decoded and checked in full: a regular expression for its bytes that keeps
all keys and their order and leaves open what may differ. ``prev``, ``seq`` and ``t`` are compared with what the chain
prescribes. Of hashes and counts any other is as good where the schema check says so (:data:`Interchangeable`); every
other value must be one that was decoded and checked before, together with the others beside it. What is recognised is
in canonical form and passes the same checks, so it is not decoded. What is not recognised is decoded: a form never
refuses an entry, and an entry that differs anywhere else is not recognised.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from operator import not_
from typing import Any

import orjson

#: Hashes and counts of a checked entry (``name``, or ``name.inner``) of which any other is as good.
Interchangeable = Callable[[dict[str, Any]], frozenset[str]]
#: Decodes and checks the entry at a place of the block in full; raises what is wrong with it.
Examine = Callable[[int], dict[str, Any]]

_HASH = re.compile(r"[0-9a-f]{64}")
_HEX = b"0123456789abcdef"
# Text in which JSON escapes nothing and UTF-8 is ASCII: any of it is canonical as it stands.
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_TEXT_BYTES = rb"[ !#-\[\]-~]*+"
_COUNT_BYTES = rb"(?:0|[1-9][0-9]{0,14}+)"  # below 2^53
_COUNT_LIMIT = 10**15
_ANY_64 = rb"(?s:.{64})"  # costs nothing to match; what is there is looked at for all entries together
_T_BYTES = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_HOUR_LENGTH = len("2026-11-23T02")
_CHAIN = ("prev", "seq", "t")

_MAX_FORMS = 64
#: Forms learnt from one block: entries that are all different are not worth learning.
_MAX_LEARNT = 16
_MAX_REMEMBERED = 100_000


class UnrecognisedError(Exception):
    """A block that is not as the chain prescribes, or not certainly so: it has to be gone through entry by entry."""


@dataclass(slots=True)
class _Form:
    match: Callable[[bytes], re.Match[bytes] | None]
    chain: tuple[int, int, int]  # the groups of prev, seq and t
    hashes: tuple[int, ...]
    judged: tuple[int, ...]  # the groups whose values must have been checked before
    hits: int = 0
    accepted: set[tuple[bytes, ...]] = field(default_factory=set)


class Forms:
    """The forms learnt so far.

    Args:
        interchangeable: which hashes and counts the schema check judges by their form alone; None where there is no
            schema check, so that any value in canonical form will do.
    """

    def __init__(self, interchangeable: Interchangeable | None) -> None:
        self._interchangeable = interchangeable
        self._forms: list[_Form] = []
        self._hours: set[bytes] = set()  # seen and real

    def check(self, entries: Sequence[bytes], start: int, prevs: Sequence[bytes], examine: Examine) -> Sequence[bytes]:
        """Check consecutive entries from seq ``start`` on; return their times, in order.

        That hashes are right and times do not run back is for the caller to check.

        Args:
            prevs: the hash of the one before each, 32 bytes.

        Raises:
            UnrecognisedError: prev, seq or t is not as it should be.
            LedgerError: what ``examine`` raised for an entry of no known form.
        """
        block = _Block(entries, start, prevs, examine, [b""] * len(entries))
        self._forms.sort(key=lambda form: -form.hits)
        places: Sequence[int] = range(len(entries))
        for form in self._forms:
            if places:
                places = self._apply(form, block, places)
        for _ in range(_MAX_LEARNT):
            if not places:
                break
            learnt = self._learn(entries[places[0]], self._examine(block, places[0]))
            places = self._apply(learnt, block, places[1:]) if learnt is not None else places[1:]
        for place in places:
            self._examine(block, place)
        self._check_hours(block.times)
        return block.times

    def _apply(self, form: _Form, block: _Block, places: Sequence[int]) -> Sequence[int]:
        """Check those of the entries at ``places`` that are of ``form``; return the places of the others."""
        whole = len(places) == len(block.entries)
        entries = block.entries if whole else [block.entries[place] for place in places]
        matches = list(map(form.match, entries))
        groups = [match.groups() for match in matches if match is not None]
        if not groups:
            return places
        form.hits += len(groups)
        hits: Sequence[int] = places if len(groups) == len(places) else list(compress(places, matches))
        columns = list(zip(*groups, strict=True))
        prev, seq, t = (columns[group] for group in form.chain)
        if b"".join(chain(*(columns[group] for group in form.hashes))).translate(None, _HEX):
            raise UnrecognisedError
        every = len(hits) == len(block.entries)
        prevs = b"".join(block.prevs if every else [block.prevs[place] for place in hits])
        if b"".join(prev) != prevs.hex().encode():
            raise UnrecognisedError
        if list(map(int, seq)) != [block.start + place for place in hits]:
            raise UnrecognisedError
        if form.judged:
            self._judge(form, block, hits, list(zip(*(columns[group] for group in form.judged), strict=True)))
        if every:
            block.times[:] = t
            return []
        for place, time in zip(hits, t, strict=True):
            block.times[place] = time
        return list(compress(places, map(not_, matches)))

    def _judge(self, form: _Form, block: _Block, places: Sequence[int], values: list[tuple[bytes, ...]]) -> None:
        """Examine one entry for each combination of judged values that was not met before."""
        unknown = set(values) - form.accepted
        if unknown:
            if len(form.accepted) > _MAX_REMEMBERED:
                form.accepted.clear()
                unknown = set(values)
            for place, value in zip(places, values, strict=True):
                if value in unknown:
                    unknown.remove(value)
                    block.examine(place)
                    form.accepted.add(value)

    def _examine(self, block: _Block, place: int) -> dict[str, Any]:
        value = block.examine(place)
        block.times[place] = value["t"].encode()
        return value

    def _check_hours(self, times: list[bytes]) -> None:
        """Minutes and seconds are in the pattern; days and hours that do not exist are left to the full check."""
        unknown = {time[:_HOUR_LENGTH] for time in times} - self._hours
        if len(self._hours) > _MAX_REMEMBERED:
            self._hours.clear()
        for hour in unknown:
            try:
                datetime.datetime.fromisoformat(hour.decode())
            except ValueError as error:
                raise UnrecognisedError from error
            self._hours.add(hour)

    def _learn(self, entry: bytes, value: dict[str, Any]) -> _Form | None:
        """The form of a checked entry, which ``value`` is; None where it is not worth one."""
        free = None if self._interchangeable is None else self._interchangeable(value)
        pattern = _Pattern(free)
        pattern.add_object(value, "")
        pattern.end_run()
        match = re.compile(bytes(pattern.expression)).fullmatch
        own = match(entry)
        if own is None or len(pattern.chain) != len(_CHAIN):
            return None
        links = pattern.chain["prev"], pattern.chain["seq"], pattern.chain["t"]
        form = _Form(match, links, tuple(pattern.hashes), tuple(pattern.judged))
        if form.judged:
            form.accepted.add(tuple(own.groups()[group] for group in form.judged))
        if len(self._forms) >= _MAX_FORMS:
            self._forms.remove(min(self._forms, key=lambda known: known.hits))
        self._forms.append(form)
        return form


@dataclass(frozen=True, slots=True)
class _Block:
    entries: Sequence[bytes]
    start: int
    prevs: Sequence[bytes]
    examine: Examine
    times: list[bytes]  # filled in as entries are checked


class _Pattern:
    """A regular expression for the canonical bytes of one entry and what they leave open."""

    def __init__(self, free: frozenset[str] | None) -> None:
        self.expression = bytearray()
        self.chain: dict[str, int] = {}
        self.hashes: list[int] = []
        self.judged: list[int] = []
        self._free = free
        self._groups = 0
        self._in_run = False

    def add_object(self, value: dict[str, Any], prefix: str) -> None:
        self.expression += rb"\{"
        for number, (name, item) in enumerate(sorted(value.items())):
            self.expression += b"," if number else b""
            self.expression += b'"%s":' % name.encode()
            if isinstance(item, dict) and not prefix:
                self.add_object(item, f"{name}.")
            else:
                self._add(prefix + name, item)
        self.expression += rb"\}"

    def _add(self, name: str, item: Any) -> None:
        is_text, is_count = type(item) is str, type(item) is int and 0 <= item < _COUNT_LIMIT
        is_free = self._free is None or name in self._free
        if name == "prev" and is_text:
            self.chain[name] = self._group(b'"%s"', _ANY_64)
        elif name == "seq" and is_count:
            self.chain[name] = self._group(b"%s", _COUNT_BYTES)
        elif name == "t" and is_text:
            self.chain[name] = self._group(b'"%s"', _T_BYTES)
        elif is_text and is_free and _HASH.fullmatch(item):
            self.hashes.append(self._group(b'"%s"', _ANY_64))
        elif is_count and is_free:
            self.end_run()
            self.expression += _COUNT_BYTES
        elif is_text and _PLAIN.fullmatch(item) and name != "log":
            self._judge(b'"%s"' % _TEXT_BYTES)
        elif is_count:
            self._judge(_COUNT_BYTES)
        else:
            self.expression += re.escape(orjson.dumps(item, option=orjson.OPT_SORT_KEYS))

    def _judge(self, expression: bytes) -> None:
        """A value that the schema check decides on: with those next to it, it is one group."""
        if self._free is not None and not self._in_run:
            self._in_run = True
            self.judged.append(self._next_group())
            self.expression += b"("
        self.expression += expression

    def end_run(self) -> None:
        """What follows, to be left open, is not to be a part of the judged values before it."""
        if self._in_run:
            self._in_run = False
            self.expression += b")"

    def _group(self, around: bytes, inner: bytes) -> int:
        self.end_run()
        self.expression += around % (b"(" + inner + b")")
        return self._next_group()

    def _next_group(self) -> int:
        self._groups += 1
        return self._groups - 1
