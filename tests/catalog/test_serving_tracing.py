"""OpenTelemetry passes through: the caller's trace goes on here, and what was asked is in no span."""

from __future__ import annotations

import json
import subprocess
import sys

from ledger import Instance

TRACE = "0af7651916cd43dd8448eb211c80319c"

# A process of its own: a tracer provider is set once in the life of a process.
SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

from catalog.serving.watch import Nobody, Seen
from ledger import Instance
from tests import conftest

class Watch(Nobody):
    def seen(self, seen: Seen) -> None:
        print(json.dumps({"seen": seen.trace, "entry": seen.entry}))

async def main() -> None:
    async with conftest.in_process(Instance.open(Path(sys.argv[1])), Watch()) as app:
        spans.clear()
        parent = {"traceparent": f"00-{sys.argv[2]}-b7ad6b7169203331-01"}
        for path in sys.argv[3:]:
            await app.client.get(path, headers={**app.bearer(), **parent})
        await app.client.post("/sign-in", data={"login": "zhzf-1", "password": "wrong-password"}, headers=parent)
    for span in spans.get_finished_spans():
        print(span.to_json(indent=None))

asyncio.run(main())
"""
PATHS = (
    "/work/permits.json?party_name__exact=%E6%9F%90%E6%9F%90%E6%9F%90&_size=1",
    "/work/permits.json?party_name__contains=某某某&facts__arraycontains=x",
    "/work/penalties/1.json?_shape=某某某",
    "/nowhere?q=某某某",
)


def test_the_callers_trace_goes_on_and_no_span_says_what_was_asked(demo: Instance) -> None:
    command = [sys.executable, "-c", SCRIPT, str(demo.path), TRACE, *PATHS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    seen = [line for line in lines if "seen" in line]
    spans = [line for line in lines if "seen" not in line]
    assert [line["seen"] for line in seen] == [TRACE] * (len(PATHS) + 1)

    servers = [span for span in spans if span["kind"] == "SpanKind.SERVER"]
    assert len(servers) == len(PATHS) + 1
    assert {span["context"]["trace_id"] for span in servers} == {f"0x{TRACE}"}
    assert {span["parent_id"] for span in servers} == {"0xb7ad6b7169203331"}
    appends = [span for span in spans if span["name"] == "liandong.append"]
    assert [span["attributes"]["liandong.entry"] for span in appends] == [
        line["entry"] for line in seen if line["entry"] is not None
    ]
    assert {span["attributes"]["liandong.route"] for span in appends} == {"table", "row"}

    assert not {"url.query", "url.full", "http.url", "http.target"} & {
        name for span in spans for name in span["attributes"]
    }
    assert {"?" in span["attributes"]["url.path"] for span in servers} == {False}
    said = "\n".join(json.dumps(span, ensure_ascii=False) for span in spans)
    for secret in ("某某某", "%E6%9F%90", "ld_", "zhzf-1", "wrong-password"):
        assert secret not in said, secret
