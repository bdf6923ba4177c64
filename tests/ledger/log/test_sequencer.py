"""The sequencer under threads, tasks and processes: linear, signed, nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import collections
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest

from ledger.errors import (
    CanonicalError,
    ConflictError,
    EntryError,
    LedgerError,
    LedgerUnavailableError,
)
from ledger.log.canonical import MAX_ENTRY_BYTES
from ledger.log.sequencer import Appended, Draft, Expect, Sequencer
from ledger.log.store import Store
from ledger.log.verify import verify_file
from tests.ledger.support import (
    ORIGIN,
    SIGNER,
    START,
    VKEY,
    check_appended,
    child,
    clock,
    close,
    draft,
    finish,
    make_log,
    new_store,
    open_sequencer,
    rows,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return make_log(tmp_path / "ledger.db", 1)


@pytest.fixture
def sequencer(log: Path) -> Iterator[Sequencer]:
    opened = open_sequencer(log)
    yield opened
    close(opened)


def test_an_entry_is_chained_signed_and_as_it_was_given(log: Path, sequencer: Sequencer) -> None:
    done = [sequencer.append(draft(n, text="中𠮷")) for n in range(3)]
    check_appended(log, done)
    value = orjson.loads(done[2].entry)
    assert value == {
        "kind": "test.noted", "v": 1, "n": 2, "text": "中𠮷",
        "log": ORIGIN, "seq": 3, "prev": done[1].hash.hex(), "t": value["t"],
    }  # fmt: skip


# -- many at once ----------


def test_8_threads_of_50_appends_each_make_one_line(log: Path, sequencer: Sequencer) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> list[Appended]:
        start.wait()
        return [sequencer.append(draft(n, thread=number)) for n in range(50)]

    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(work, range(8)))
    check_appended(log, [item for items in lists for item in items])
    for number, items in enumerate(lists):
        values = [orjson.loads(item.entry) for item in items]
        assert [(value["thread"], value["n"]) for value in values] == [(number, n) for n in range(50)]
        assert [item.seq for item in items] == sorted(item.seq for item in items), "a thread's order is kept"


def test_500_tasks_make_one_line_in_few_commits(log: Path, sequencer: Sequencer) -> None:
    async def work() -> list[Appended]:
        return await asyncio.gather(*(sequencer.append_async(draft(n)) for n in range(500)))

    done = asyncio.run(work())
    check_appended(log, done)
    assert [orjson.loads(item.entry)["n"] for item in done] == list(range(500))


def test_threads_and_tasks_together_make_one_line(log: Path, sequencer: Sequencer) -> None:
    async def work() -> list[Appended]:
        tasks = [asyncio.create_task(sequencer.append_async(draft(n))) for n in range(100)]
        threads = [asyncio.to_thread(sequencer.append, draft(1000 + n)) for n in range(40)]
        return await asyncio.gather(*tasks, *threads)

    check_appended(log, asyncio.run(work()))


APPENDER = """
import sys
from pathlib import Path
from tests.ledger.support import close, draft, open_sequencer
path, who, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
sequencer = open_sequencer(path)
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    done = sequencer.append(draft(n, who=who))
    print(done.seq, done.hash.hex(), flush=True)
close(sequencer)
"""


def start_together(children: list[Any]) -> list[str]:
    for process in children:
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in children:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [finish(process) for process in children]


def test_3_processes_of_100_appends_each_make_one_line(log: Path) -> None:
    children = [child(APPENDER, log, who, 100, stdin=-1) for who in range(3)]
    printed = [line.split() for out in start_together(children) for line in out.splitlines()]
    verdict = verify_file(log, VKEY)
    stored = {str(seq): value.hex() for seq, _, value in rows(log)[1:]}
    assert verdict.size == 301 and len(printed) == 300
    assert dict(printed) == stored, "each acknowledged exactly once"
    by = collections.Counter(orjson.loads(data)["who"] for _, data, _ in rows(log)[1:])
    assert by == {0: 100, 1: 100, 2: 100}


def test_two_sequencers_in_one_process_take_turns(log: Path) -> None:
    one, two = open_sequencer(log), open_sequencer(log)
    done = [sequencer.append(draft(n)) for n in range(20) for sequencer in (one, two)]
    check_appended(log, done)
    close(one)
    close(two)


# -- once ----------


def race(count: int, attempt: Callable[[int], Appended]) -> tuple[list[Appended], list[ConflictError]]:
    start = threading.Barrier(count)
    won: list[Appended] = []
    lost: list[ConflictError] = []

    def work(number: int) -> None:
        start.wait()
        try:
            won.append(attempt(number))
        except ConflictError as error:
            lost.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, lost


def once(n: int, *keys: str) -> Draft:
    return Draft({"kind": "test.noted", "v": 1, "n": n}, once=keys)


def test_a_key_is_won_by_one_thread(log: Path, sequencer: Sequencer) -> None:
    won, lost = race(8, lambda number: sequencer.append(once(number, "nonce:1")))
    assert (len(won), len(lost)) == (1, 7)
    assert all(f"entry {won[0].seq}" in error.en and f"第 {won[0].seq} 条" in error.zh for error in lost)
    check_appended(log, won)


def test_a_key_is_won_by_one_task(log: Path, sequencer: Sequencer) -> None:
    async def work() -> list[Any]:
        tasks = (sequencer.append_async(once(n, "nonce:1", f"own:{n}")) for n in range(50))
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(work())
    won = [result for result in results if isinstance(result, Appended)]
    assert len(won) == 1 and sum(isinstance(result, ConflictError) for result in results) == 49
    check_appended(log, won)


RACER = """
import sys
from pathlib import Path
from ledger.errors import ConflictError
from ledger.log.sequencer import Draft
from tests.ledger.support import close, open_sequencer
path, who = Path(sys.argv[1]), sys.argv[2]
sequencer = open_sequencer(path)
print("ready", flush=True)
sys.stdin.readline()
for n in range(25):
    try:
        sequencer.append(Draft({"kind": "test.noted", "v": 1, "n": n, "who": who}, once=(f"key:{n}",)))
        print(n)
    except ConflictError:
        pass
close(sequencer)
"""


def test_each_key_is_won_by_one_process(log: Path) -> None:
    children = [child(RACER, log, who, stdin=-1) for who in range(3)]
    won = [int(n) for out in start_together(children) for n in out.split()]
    assert sorted(won) == list(range(25))
    assert verify_file(log, VKEY).size == 26


def test_a_key_that_lost_leaves_its_other_keys_free(sequencer: Sequencer) -> None:
    sequencer.append(once(1, "a"))
    with pytest.raises(ConflictError):
        sequencer.append(once(2, "b", "a"))
    assert sequencer.append(once(3, "b")).seq == 2


def test_the_same_key_twice_in_one_draft_is_one_key(log: Path, sequencer: Sequencer) -> None:
    done = sequencer.append(once(1, "a", "a"))
    with pytest.raises(ConflictError):
        sequencer.append(once(2, "a"))
    check_appended(log, [done])


# -- expect ----------


def expecting(n: int, last: int | None, field: str = "kind", value: str = "test.noted") -> Draft:
    return Draft({"kind": "test.noted", "v": 1, "n": n}, expect=Expect(field, value, last))


def test_an_expected_newest_entry_must_be_the_newest(log: Path, sequencer: Sequencer) -> None:
    done = [sequencer.append(expecting(1, 0)), sequencer.append(expecting(2, 1))]
    for last in (None, 0, 1, 3, -1):
        with pytest.raises(ConflictError, match="is entry 2") as caught:
            sequencer.append(expecting(3, last))
        assert "第 2 条" in caught.value.zh
    check_appended(log, done)


def test_none_is_expected_where_there_was_no_entry_yet(sequencer: Sequencer) -> None:
    first = Draft({"kind": "test.opened", "v": 1}, expect=Expect("kind", "test.opened", None))
    assert sequencer.append(first).seq == 1
    with pytest.raises(ConflictError, match="is entry 1, expected was none"):
        sequencer.append(first)


def test_a_field_that_is_no_lookup_field_cannot_be_expected(log: Path, sequencer: Sequencer) -> None:
    for field in ("n", "seq", "kind' OR 1 --", ""):
        with pytest.raises(EntryError, match="not looked up"):
            sequencer.append(expecting(1, 0, field))
    with pytest.raises(CanonicalError):
        sequencer.append(expecting(1, 0, value="\ud800"))
    check_appended(log, [sequencer.append(draft())])


def test_within_one_group_an_expectation_counts_what_stands_before_it(log: Path, sequencer: Sequencer) -> None:
    async def work() -> list[Any]:
        with sequencer._commit_lock:
            tasks = [
                asyncio.create_task(sequencer.append_async(expecting(n, last))) for n, last in [(1, 0), (2, 0), (3, 1)]
            ]
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(work())
    assert [type(result) for result in results] == [Appended, ConflictError, Appended]
    check_appended(log, [results[0], results[2]])


def test_an_expectation_is_met_by_one_thread_of_many(log: Path, sequencer: Sequencer) -> None:
    won, lost = race(8, lambda number: sequencer.append(expecting(number, 0)))
    assert (len(won), len(lost)) == (1, 7)
    check_appended(log, won)


EXPECTER = """
import sys
from pathlib import Path
from ledger.errors import ConflictError
from ledger.log.sequencer import Draft, Expect
from tests.ledger.support import close, open_sequencer
path, who = Path(sys.argv[1]), sys.argv[2]
sequencer = open_sequencer(path)
print("ready", flush=True)
sys.stdin.readline()
last = 0
for n in range(40):
    try:
        last = sequencer.append(
            Draft({"kind": "test.noted", "v": 1, "n": n, "who": who}, expect=Expect("kind", "test.noted", last))
        ).seq
        print("won", last)
    except ConflictError as error:
        last += 1
        print("lost", last)
close(sequencer)
"""


def test_each_expectation_is_met_by_one_process(log: Path) -> None:
    children = [child(EXPECTER, log, who, stdin=-1) for who in range(2)]
    outs = [out.splitlines() for out in start_together(children)]
    won = sorted(int(line.split()[1]) for out in outs for line in out if line.startswith("won"))
    size = verify_file(log, VKEY).size
    assert won == list(range(1, size)), "each place after entry 0 was won once"
    assert len(won) < 80, "and somebody lost"


# -- one bad draft among good ones ----------

BAD: dict[str, tuple[Draft, type[LedgerError]]] = {
    "a float": (draft(x=0.5), CanonicalError),
    "a number too long to print": (draft(x=10**5000), CanonicalError),
    "a lone surrogate": (draft(x="\ud800"), CanonicalError),
    "a capital key": (draft(X=1), CanonicalError),
    "an object of Python's": (draft(x=object()), CanonicalError),
    "an entry too long": (draft(x="中" * 22_000), CanonicalError),
    "a key used before": (once(0, "used"), ConflictError),
    "a key that cannot be encoded": (once(0, "\ud800"), CanonicalError),
}


@pytest.mark.parametrize("name", BAD)
def test_a_refused_draft_does_no_harm_to_its_group(log: Path, sequencer: Sequencer, name: str) -> None:
    first = sequencer.append(once(0, "used"))
    bad, error = BAD[name]

    async def work() -> list[Any]:
        drafts = [draft(1), bad, draft(2), bad, once(3, "a", "a")]
        with sequencer._commit_lock:  # so that all five become one group
            tasks = [asyncio.create_task(sequencer.append_async(item)) for item in drafts]
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(work())
    assert [type(result) for result in results] == [Appended, error, Appended, error, Appended]
    check_appended(log, [first, *(result for result in results if isinstance(result, Appended))])


def test_when_all_drafts_of_a_group_are_refused_nothing_changes(log: Path, sequencer: Sequencer) -> None:
    before = rows(log), verify_file(log, VKEY)
    with pytest.raises(CanonicalError):
        sequencer.append(draft(x=0.5))
    assert (rows(log), verify_file(log, VKEY)) == before


def test_an_entry_may_be_just_as_long_as_a_bundle_allows(log: Path, sequencer: Sequencer) -> None:
    room = MAX_ENTRY_BYTES - len(sequencer.append(draft(x="")).entry)
    longest = sequencer.append(draft(x="a" * room))
    assert len(longest.entry) == MAX_ENTRY_BYTES
    with pytest.raises(CanonicalError, match=str(MAX_ENTRY_BYTES + 1)):
        sequencer.append(draft(x="a" * (room + 1)))
    assert verify_file(log, VKEY).size == 3


# -- ending ----------


def test_close_commits_what_is_queued_and_refuses_what_comes_later(log: Path) -> None:
    sequencer = open_sequencer(log)
    waiting = [sequencer._enqueue(draft(n)) for n in range(20)]
    close(sequencer)
    check_appended(log, [item.result() for item in waiting])
    with pytest.raises(LedgerUnavailableError, match="closing"):
        sequencer.append(draft())
    with pytest.raises(LedgerUnavailableError, match="closing"):
        asyncio.run(sequencer.append_async(draft()))
    close(sequencer)  # a second time does no harm


def test_close_amid_threads_and_tasks_acknowledges_or_refuses_each(log: Path) -> None:
    sequencer = open_sequencer(log)
    outcomes: list[Any] = []

    def work() -> None:
        try:
            while True:
                outcomes.append(sequencer.append(draft()))
        except LedgerUnavailableError:
            return

    async def loop() -> None:
        while True:
            batch = [sequencer.append_async(draft()) for _ in range(20)]
            results = await asyncio.gather(*batch, return_exceptions=True)
            outcomes.extend(result for result in results if isinstance(result, Appended))
            refused = [result for result in results if not isinstance(result, Appended)]
            assert all(isinstance(result, LedgerUnavailableError) for result in refused), refused
            if refused:
                return

    threads = [threading.Thread(target=work) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: asyncio.run(loop())))
    for thread in threads:
        thread.start()
    while len(outcomes) < 60:
        threads[0].join(0.01)
        assert all(thread.is_alive() for thread in threads)
    sequencer.close()
    for thread in threads:
        thread.join()
    sequencer._store.close()
    check_appended(log, outcomes)


def test_a_waiter_that_is_cancelled_neither_loses_nor_doubles_an_entry(log: Path, sequencer: Sequencer) -> None:
    async def work() -> list[Any]:
        tasks = [asyncio.create_task(sequencer.append_async(draft(n))) for n in range(200)]
        chosen = random.Random(7)
        for _ in range(3):
            await asyncio.sleep(0)
            for task in chosen.sample(tasks, 40):
                task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(work())
    sequencer.append(draft(1000))
    stored = [orjson.loads(data)["n"] for _, data, _ in rows(log)[1:]]
    assert len(set(stored)) == len(stored), "none twice"
    assert verify_file(log, VKEY).size == len(stored) + 1
    for n, result in enumerate(results):
        if isinstance(result, Appended):
            assert orjson.loads(result.entry)["n"] == n and rows(log)[result.seq][1] == result.entry
        else:
            assert isinstance(result, asyncio.CancelledError)


def test_a_waiter_cancelled_in_the_queue_does_not_upset_the_others(log: Path, sequencer: Sequencer) -> None:
    async def work() -> list[Any]:
        with sequencer._commit_lock:
            tasks = [asyncio.create_task(sequencer.append_async(draft(n))) for n in range(10)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(work())
    assert [isinstance(result, Appended) for result in results] == [n % 2 == 1 for n in range(10)]
    assert verify_file(log, VKEY).size == 11


def test_a_loop_that_ends_before_its_entries_are_committed_does_no_harm(log: Path, sequencer: Sequencer) -> None:
    async def give_up() -> None:
        with sequencer._commit_lock:
            tasks = [asyncio.create_task(sequencer.append_async(draft(n))) for n in range(5)]
            await asyncio.sleep(0)
            assert not any(task.done() for task in tasks)
        # asyncio.run cancels the five tasks and closes the loop, whether or not their entries are committed yet

    asyncio.run(give_up())
    sequencer.append(draft(9))
    assert [orjson.loads(data)["n"] for _, data, _ in rows(log)] == [0, 0, 1, 2, 3, 4, 9]
    assert verify_file(log, VKEY).size == 7


# -- time ----------


def test_time_in_the_log_never_runs_back(log: Path) -> None:
    sequencer = open_sequencer(log, clock(START + timedelta(hours=1), step_ms=-60_000))
    times = [orjson.loads(sequencer.append(draft(n)).entry)["t"] for n in range(5)]
    assert times == ["2026-11-23T03:03:04.123Z"] * 5
    close(sequencer)
    later = open_sequencer(log, clock(START))
    assert orjson.loads(later.append(draft()).entry)["t"] == times[0], "nor after a start with the clock set back"
    close(later)
    assert verify_file(log, VKEY).last_t == times[0]


def fault(observed: str, expected: str) -> dict[str, Any]:
    return {"kind": "test.fault", "v": 1, "what": "clock.back", "observed": observed, "expected": expected}


def kinds_of(path: Path) -> list[str]:
    return [orjson.loads(data)["kind"].removeprefix("test.") for _, data, _ in rows(path)]


def with_clock(path: Path, seconds: list[float]) -> None:
    """Append one entry at each of these seconds after START."""
    times = iter(seconds)
    store = Store.open(path) if path.exists() else new_store(path)
    sequencer = Sequencer(store, SIGNER, lambda: START + timedelta(seconds=next(times)), clock_fault=fault)
    for n in range(len(seconds)):
        assert orjson.loads(sequencer.append(draft(n)).entry)["n"] == n
    close(sequencer)
    verify_file(path, VKEY)


@pytest.mark.parametrize(
    ("seconds", "kinds"),
    [
        ([0, 60, 61], "noted noted noted"),
        ([0, 60, 59.001, 59, 60], "noted noted noted noted noted"),
        ([0, 60, 58.9, 61], "noted noted fault noted noted"),
        ([0, 60, 10, 11, 12, 59, 61], "noted noted fault noted noted noted noted noted"),
        ([0, 60, 10, 61, 20, 70], "noted noted fault noted noted fault noted noted"),
    ],
)  # fmt: skip
def test_a_step_back_of_over_a_second_is_recorded_once_and_appends_go_on(
    tmp_path: Path, seconds: list[float], kinds: str
) -> None:
    path = tmp_path / "ledger.db"
    with_clock(path, seconds)
    assert kinds_of(path) == kinds.split()
    values = [orjson.loads(data) for _, data, _ in rows(path)]
    assert [value["t"] for value in values] == sorted(value["t"] for value in values)
    for value in values:
        if value["kind"] == "test.fault":
            assert value["observed"] < value["expected"] == value["t"]


def test_a_clock_set_back_before_a_start_is_recorded_and_once_for_all_processes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with_clock(path, [0, 600])
    for _ in range(3):
        with_clock(path, [30, 31])
    assert kinds_of(path) == ["noted", "noted", "fault", *["noted"] * 6]
    with_clock(path, [601])
    with_clock(path, [40])
    assert kinds_of(path)[9:] == ["noted", "fault", "noted"]


def test_a_refused_draft_does_not_record_a_clock_set_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with_clock(path, [600])
    store = Store.open(path)
    sequencer = Sequencer(store, SIGNER, lambda: START, clock_fault=fault)
    with pytest.raises(CanonicalError):
        sequencer.append(draft(x=0.5))
    assert kinds_of(path) == ["noted"]
    sequencer.append(draft(1))
    assert kinds_of(path) == ["noted", "fault", "noted"]
    close(sequencer)


def test_time_is_written_in_utc_to_the_millisecond(log: Path) -> None:
    shanghai = timezone(timedelta(hours=8))
    moments = [
        datetime(2026, 12, 1, 7, 59, 59, 999_999, tzinfo=shanghai),
        datetime(2026, 12, 1, 8, 0, tzinfo=shanghai),
        datetime(2026, 12, 31, 23, 59, 59, 1_000, tzinfo=UTC),
    ]
    times = iter(moments)
    sequencer = open_sequencer(log, lambda: next(times))
    written = [orjson.loads(sequencer.append(draft()).entry)["t"] for _ in moments]
    assert written == ["2026-11-30T23:59:59.999Z", "2026-12-01T00:00:00.000Z", "2026-12-31T23:59:59.001Z"]
    close(sequencer)
