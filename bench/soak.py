"""Ten minutes at 80 % of what the service can do: memory, latency, and every answer against its entry.

The load is open: each request has its moment, whether or not the one before it was answered in time, and its latency
counts from that moment. So a service that falls behind shows it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench import catalog_data, wrk
from bench.query import PAGE
from bench.rounds import quantile, table
from bench.servers import Side, memory_bytes, ours
from bench.wrk import Ask
from ledger import Instance

CONNECTIONS = 8
SHARE = 0.8
_PARTS = 10
_SAMPLE_S = 5.0


@dataclass
class Soak:
    """What came of it.

    Attributes:
        entries: the number of each answer's entry.
        latencies: seconds into the run and latency in milliseconds, of each answer.
        memory: seconds into the run and resident bytes of all processes together.
    """

    entries: list[int] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0
    memory: list[tuple[float, int]] = field(default_factory=list)


def run(folder: Path, seconds: int, workers: int, rows: int = catalog_data.ROWS) -> str:
    """Measure and return a Markdown report."""
    instance = catalog_data.build(folder / "instance", rows)
    before = _served(instance)
    with ours(instance, workers, "--verify-minutes", "5") as side:
        ask = Ask(PAGE.method, PAGE.path, (("Authorization", f"Bearer {side.token}"),))
        pressed = [wrk.press(side.url, [ask], CONNECTIONS, 10, folder) for _ in range(2)]
        time.sleep(2)  # what was under way when wrk hung up is recorded too
        warm = _served(instance)
        rate = pressed[-1].per_second * SHARE
        started_cpu, started = time.process_time(), time.perf_counter()
        found = asyncio.run(_soak(side, ask, rate, seconds))
        tool_cpu = (time.process_time() - started_cpu) / (time.perf_counter() - started)
    return _report(found, _served(instance) - warm, warm - before, rate, seconds, workers, tool_cpu)


def _served(instance: Instance) -> Counter[int]:
    """The numbers of the entries of answered queries."""
    with instance.ledger() as ledger:
        return Counter(entry["seq"] for entry in ledger.since(0, ["query.served"]))


async def _soak(side: Side, ask: Ask, rate: float, seconds: int) -> Soak:
    found = Soak()
    start = time.perf_counter()
    clients = [_client(side, ask, found, start, n / rate, CONNECTIONS / rate, seconds) for n in range(CONNECTIONS)]
    await asyncio.gather(_watch_memory(side, found, start, seconds), *clients)
    return found


async def _client(
    side: Side, ask: Ask, found: Soak, start: float, first_s: float, every_s: float, seconds: int
) -> None:
    address = urlsplit(side.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    headers = "".join(f"{name}: {value}\r\n" for name, value in (("Host", address.netloc), *ask.headers))
    request = f"{ask.method} {ask.path} HTTP/1.1\r\n{headers}\r\n".encode()
    due = start + first_s
    while due - start < seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(fields[b"content-length"]))
        now = time.perf_counter()
        if head.startswith(b"HTTP/1.1 200 "):
            found.entries.append(int(fields[b"ledger-entry"]))
            found.latencies.append((now - start, (now - due) * 1000))
        else:
            found.failed += 1
        due += every_s
    writer.close()


async def _watch_memory(side: Side, found: Soak, start: float, seconds: int) -> None:
    while time.perf_counter() - start < seconds:
        found.memory.append((time.perf_counter() - start, sum(memory_bytes(pid) for pid in side.processes())))
        await asyncio.sleep(_SAMPLE_S)


def _report(
    found: Soak, recorded: Counter[int], warming: Counter[int], rate: float, seconds: int, workers: int, tool_cpu: float
) -> str:
    answered = Counter(found.entries)
    lost = sum((answered - recorded).values())
    extra = sum((recorded - answered).values())
    rows = []
    for n in range(_PARTS):
        begin, end = seconds * n / _PARTS, seconds * (n + 1) / _PARTS
        part = sorted(latency for at, latency in found.latencies if begin <= at < end)
        memory = [size for at, size in found.memory if begin <= at < end]
        rows.append(
            (
                f"{begin:.0f}–{end:.0f}",
                str(len(part)),
                f"{quantile(part, 0.5):.1f}",
                f"{quantile(part, 0.99):.1f}",
                f"{max(memory, default=0) / 2**20:.1f}",
            )
        )
    verdict = {
        "answers": len(found.entries),
        "failed": found.failed,
        "entries that an answer names and the ledger lacks": lost,
        "answers that name an entry of another": len(found.entries) - len(answered),
        "entries without an answer": extra,
        "memory in the last fifth less that in the second, MiB": round(_growth_bytes(found, seconds) / 2**20, 1),
    }
    text = (
        f"{seconds} s at {rate:.0f} requests/s (80 % of what {CONNECTIONS} connections got), {workers} worker(s), GET "
        f"of 20 rows, token; the load tool's CPU {tool_cpu:.2f} s/s; {sum(warming.values())} entries before it began"
    )
    header = ("seconds", "answers", "p50 ms", "p99 ms", "memory MiB")
    return f"{text}\n\n{table(header, rows)}\n\n{json.dumps(verdict)}"


def _growth_bytes(found: Soak, seconds: int) -> float:
    def mean(begin: float, end: float) -> float:
        part = [size for at, size in found.memory if begin <= at / seconds < end]
        return sum(part) / len(part) if part else 0.0

    return mean(0.8, 1.01) - mean(0.2, 0.4)
