"""An invented log for benchmarks: queries of many lengths and shapes, as a year of a county's ledger holds them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledger import Instance, Settings

_AGENCIES = ("zhzf", "sfj", "yjj", "scjg", "zrzy", "sthj", "jtys", "whly", "nyncj", "wjw", "zjj", "gaj")
_RESOURCES = ("directory/resources", "work/permits", "work/penalties", "dynamics/patrols", "documents/decisions")
_GROUP = 500


def build(folder: Path, entries: int, *, particulars: bool = True) -> Instance:
    """An instance in ``folder`` whose ledger holds ``entries`` entries, most of them ``query.served``."""
    settings = Settings("bench.example/log", "测试", "Bench", "http://bench", demo=True)
    instance = Instance.create(folder, settings)
    extend(instance, entries, particulars=particulars)
    return instance


def extend(instance: Instance, entries: int, *, particulars: bool = True, seed: int = 1) -> None:
    """Append ``entries`` more, in groups as a busy service would commit them."""
    chance = random.Random(seed)
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    with instance.ledger() as ledger:
        size = ledger._store.head().size
        ticks = {"now": begin + timedelta(seconds=20 * size)}
        ledger._sequencer._now = lambda: ticks["now"]  # time passes in the log, not on the bench
        for n in range(entries):
            kind, fields, sealed = _draft(chance)
            draft = ledger._draft(kind, fields, sealed if particulars else {}, (), None)
            ledger._sequencer._enqueue(draft)
            if n % _GROUP == _GROUP - 1:
                ledger._sequencer._lead()
                ticks["now"] += timedelta(seconds=20 * _GROUP)


def _draft(chance: random.Random) -> tuple[str, dict[str, Any], dict[str, Any]]:
    asked = {
        "requester": chance.choice(_AGENCIES),
        "auth": chance.choice(("token", "session", "signature")),
        "resource": chance.choice(_RESOURCES),
        "route": chance.choice(("table", "row", "query")),
        "status": 200,
        "elapsed_us": int(chance.lognormvariate(8, 1)),
    }
    sealed = {"query": "GET /directory/resources.json?_size=20"}
    if chance.random() < 0.05:
        return "query.failed", {**asked, "status": chance.choice((400, 403, 404))}, sealed
    sealed["answer_sha256"] = "0" * 64
    served = {"format": chance.choice(("json", "html", "csv")), "rows": chance.randrange(101)}
    return "query.served", {**asked, **served, "size_bytes": int(chance.lognormvariate(9, 1.5))}, sealed
