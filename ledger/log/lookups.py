"""Which entries hold a value in a field: a table that follows the entries block by block.

An index on ``entries`` would be written in every commit, and each of its pages costs a commit as much as the entry
does. So a table of the fields takes up a block of entries at a time, when its last one is inserted, and the few after
the last whole block are looked through. No proof rests on it; :func:`check_lookups` compares it with the entries.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence

from ledger.errors import TamperError

#: Entries taken up at once: more make commits cheaper and looking through the rest dearer.
BLOCK = 256
#: The first entry that the table does not know yet.
_REST = f"(SELECT (ifnull(max(seq), -1) + 1) / {BLOCK} * {BLOCK} FROM entries)"  # noqa: S608 - a number of our own

#: Values wanted of each field: an entry must have one of them in every field.
Wanted = Mapping[str, Sequence[str]]


def statements(fields: Sequence[str]) -> Iterator[str]:
    """The statements that make the table for ``fields`` and keep it up to date."""
    if not fields:
        return
    columns = "".join(f', "{field}" TEXT' for field in fields)
    yield f"CREATE TABLE lookups (seq INTEGER PRIMARY KEY{columns}) STRICT"
    for field in fields:
        yield f'CREATE INDEX lookups_{field} ON lookups ("{field}")'
    yield (
        f"CREATE TRIGGER entries_lookups AFTER INSERT ON entries WHEN NEW.seq % {BLOCK} = {BLOCK - 1} BEGIN "
        f"{_take_up(fields)} WHERE seq > NEW.seq - {BLOCK}; END"
    )


def replace(fields: Sequence[str]) -> list[str]:
    """The statements that make the table anew for ``fields`` and take up the whole blocks that are there."""
    drop = ["DROP TRIGGER IF EXISTS entries_lookups", "DROP TABLE IF EXISTS lookups"]
    return [*drop, *statements(fields), f"{_take_up(fields)} WHERE seq < {_REST}"]


def fields_of(db: sqlite3.Connection) -> list[str]:
    """The fields that this file's table has; none where there is no table."""
    rows = db.execute("SELECT CAST(name AS BLOB) FROM pragma_table_info('lookups') WHERE name <> 'seq' ORDER BY cid")
    return [bytes(name).decode(errors="replace") for (name,) in rows]


#: Leaves what a log of so many entries has, the only parameter.
CUT = f"DELETE FROM lookups WHERE seq >= ? / {BLOCK} * {BLOCK}"  # noqa: S608 - a number of our own


def seqs(wanted: Wanted, fields: Collection[str]) -> tuple[str, dict[str, object]]:
    """SQL for the numbers of the entries that have what is ``wanted``, and its parameters.

    The parameters ``start`` and ``end`` are the caller's: the first number and the one after the last. The SQL may be
    followed by ``ORDER BY seq``.

    Args:
        wanted: at least one field.
        fields: those that the table has (:func:`fields_of`); others are read from the entries.
    """
    values: dict[str, object] = {}
    kept, read = [], []
    for field, any_of in wanted.items():
        named = {f"{field}_{place}": value for place, value in enumerate(any_of)}
        marks = ", ".join(f":{name}" for name in named)
        values |= named
        kept.append(f'"{field}" IN ({marks})')
        read.append(f"entry ->> '$.{field}' IN ({marks})")
    within = "seq >= :start AND seq < :end"
    if not set(wanted) <= set(fields):
        return f"SELECT seq FROM entries WHERE {within} AND {' AND '.join(read)}", values  # noqa: S608 - our own names
    from_table = f"SELECT seq FROM lookups WHERE {within} AND {' AND '.join(kept)}"  # noqa: S608 - our own names
    # One lower bound: of two, SQLite seeks to the first and walks over all entries between it and the second.
    rest = f"seq >= max(:start, {_REST}) AND seq < :end"
    from_rest = f"SELECT seq FROM entries WHERE {rest} AND {' AND '.join(read)}"  # noqa: S608 - our own names
    return f"{from_table} UNION ALL {from_rest}", values


def check_lookups(db: sqlite3.Connection) -> None:
    """Raise :class:`TamperError` where the table differs from the entries."""
    fields = fields_of(db)
    if not fields:
        return
    same = " AND ".join(f"l.\"{field}\" IS e.entry ->> '$.{field}'" for field in fields)
    sql = (
        f"SELECT e.seq FROM entries e LEFT JOIN lookups l ON l.seq = e.seq "  # noqa: S608 - our own names
        f"WHERE e.seq < {_REST} AND (l.seq IS NULL OR NOT ({same})) LIMIT 1"
    )
    more = f"SELECT seq FROM lookups WHERE seq < 0 OR seq >= {_REST} LIMIT 1"  # noqa: S608 - our own names
    row = db.execute(sql).fetchone() or db.execute(more).fetchone()
    if row is not None:
        raise TamperError(
            f"the table by which entries are found was altered at entry {row[0]}; no proof rests on it, but lists may "
            "be wrong: restore the file from a backup",
            f"查找条目所用的表在第 {row[0]} 条处被改动；任何证明都不依赖它，但列表可能有误：请从备份恢复该文件",
        )


def _take_up(fields: Sequence[str]) -> str:
    values = "".join(f", entry ->> '$.{field}'" for field in fields)
    return f"INSERT INTO lookups SELECT seq{values} FROM entries"  # noqa: S608 - our own names
