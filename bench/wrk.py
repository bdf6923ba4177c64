"""Load by ``wrk``, which costs little beside what it measures; a Lua script sends what we made and prints JSON.

It is taken from PATH (Debian: ``apt-get install wrk``). One of its threads drives all connections, closed loop: each
connection asks again as soon as it was answered.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

_SCRIPT = """
-- Arguments: a file of requests, one a line of JSON strings: method, path, body, then names and values of headers.
local lines, at = {}, 0
local function split(line)
  local parts = {}
  for part in line:gmatch('([^\\t]*)\\t') do parts[#parts + 1] = part end
  return parts
end
function init(args)
  for line in io.lines(args[1]) do
    local parts = split(line)
    local headers = {}
    for i = 4, #parts, 2 do headers[parts[i]] = parts[i + 1] end
    local body = parts[3]
    if body == '' then body = nil end
    lines[#lines + 1] = wrk.format(parts[1], parts[2], headers, body)
  end
end
function request()
  at = at + 1
  if at > #lines then
    if #lines > 1 then wrk.thread:stop() end  -- each is good for once
    at = 1
  end
  return lines[at]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Ask:
    """One request, complete."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def line(self) -> str:
        parts = (self.method, self.path, self.body, *(part for pair in self.headers for part in pair))
        assert not any("\t" in part or "\n" in part for part in parts)
        return "".join(f"{part}\t" for part in parts)


@dataclass(frozen=True)
class Load:
    """What a load came to. ``tool_cpu``: processor seconds of wrk itself for each second."""

    per_second: float
    p50_ms: float
    p99_ms: float
    tool_cpu: float
    requests: int


def press(url: str, asks: Sequence[Ask], connections: int, seconds: int, scratch: Path) -> Load:
    """Ask for ``seconds`` on ``connections`` at once: one request again and again, or each of a list once."""
    script, list_file = scratch / "wrk.lua", scratch / "wrk.list"
    script.write_text(_SCRIPT, encoding="utf-8")
    list_file.write_text("".join(f"{ask.line()}\n" for ask in asks), encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            find(),
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "-s",
            str(script),
            url,
            "--",
            str(list_file),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == 0 and found["broken"] == 0, f"{urlsplit(url).netloc}: {found}"
    took_s = found["duration_us"] / 1e6
    assert len(asks) == 1 or took_s > 0.9 * seconds, f"{len(asks)} requests were too few for {seconds} s"
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Load(
        found["requests"] / took_s, found["p50_us"] / 1e3, found["p99_us"] / 1e3, cpu_s / took_s, found["requests"]
    )


def find() -> str:
    """wrk's path."""
    path = shutil.which("wrk")
    if path is None:
        raise click.ClickException("wrk is not installed: apt-get install wrk / 未安装 wrk：apt-get install wrk")
    return path
