"""The documentation says what the program does: help, commands, README, and the commands in it run as written."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from catalog.cli import main
from tools.cli_docs import commands

ROOT = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
CHINESE = re.compile(r"[一-鿿]{2}")
ENGLISH = re.compile(r"[A-Za-z]{2,}")
#: Options that click itself words.
CLICKS_OWN = {"help", "version"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def outside_code(text: str) -> str:
    """Markdown without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def fenced(text: str) -> list[str]:
    """The bodies of the fenced blocks."""
    return re.findall(r"^```\w*\n(.*?)^```", text, flags=re.M | re.S)


@pytest.mark.parametrize(("name", "command"), list(commands(main)), ids=lambda value: str(value))
def test_every_command_and_option_has_help_in_both_languages(name: str, command: click.Command) -> None:
    told = {name: command.help or ""}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in CLICKS_OWN:
            told[f"{name} {parameter.opts[0]}"] = parameter.help or ""
    assert [what for what, text in told.items() if not (CHINESE.search(text) and ENGLISH.search(text))] == []


@every_page
def test_no_page_has_placeholders(page: Path) -> None:
    found = re.findall(r"\b(?:TODO|FIXME|TBD|XXX|lorem|coming soon)\b|待补|待定稿|占位", page.read_text(), re.I)
    assert found == []


@every_page
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", outside_code(page.read_text()))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


@every_page
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    known = {name for name, _ in commands(main)}
    groups = {name for name, command in commands(main) if isinstance(command, click.Group)}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = page.read_text()
    code = "\n".join([*fenced(text), *re.findall(r"`([^`\n]+)`", outside_code(text))])
    for words in re.findall(r"(?:^|[\s/])liandong((?: [a-z][a-z-]+)+)", code, re.M):
        first, *rest = words.split()
        name = f"liandong {first}"
        assert name in known, words
        if name in groups and rest:
            assert f"{name} {rest[0]}" in known, words
    for target in re.findall(r"^make ([a-z][a-z-]*)", code, re.M):
        assert target in targets, target


def test_both_readmes_have_the_same_shape_commands_and_links() -> None:
    english, chinese = (page.read_text() for page in READMES)
    levels = [re.findall(r"^(#+) ", outside_code(text), re.M) for text in (english, chinese)]
    assert levels[0] == levels[1]
    assert fenced(english) == fenced(chinese)
    marks = [re.findall(r"^<!-- runs: \d -->$", text, re.M) for text in (english, chinese)]
    assert marks[0] == marks[1] and marks[0]
    links = [set(re.findall(r"\]\(([^)]+)\)", text)) for text in (english, chinese)]
    chineses = {link.replace("README.zh-CN.md", "README.md").replace("-zh.png", "-en.png") for link in links[1]}
    assert {link.replace("README.zh-CN.md", "README.md") for link in links[0]} == chineses
    assert {link for link in links[0] if link.endswith(".png")} == {
        f"docs/screenshots/{name}-en.png" for name in ("home", "ledger")
    }


def test_each_readme_is_in_its_language() -> None:
    english, chinese = (outside_code(page.read_text()) for page in READMES)
    assert len(re.findall(r"[一-鿿]", english)) < 80
    paragraphs = [p for p in chinese.split("\n\n") if not p.startswith(("[", "!", "<!--")) and len(p) > 20]
    assert [p for p in paragraphs if not CHINESE.search(p)] == []


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    """After what is not released yet."""
    first, second, *_ = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert VERSION in ((first, second) if first == "Unreleased" else (first,))


def test_the_readmes_name_the_archive_of_this_version() -> None:
    for page in READMES:
        assert set(re.findall(r"liandong-(\d[\w.]*?)-bundle", page.read_text())) == {VERSION}


@dataclass(frozen=True)
class Demo:
    """A demo instance that ``make run`` serves: its folder, address, and what was printed."""

    cwd: Path
    address: str
    printed: str

    def line(self, pattern: str) -> str:
        """The one printed line that matches ``pattern``, stripped."""
        (found,) = [line.strip() for line in self.printed.splitlines() if re.search(pattern, line)]
        return found

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a printed line as a person would, by pasting it into a shell that knows nothing of .venv."""
        folders = [f for f in os.environ["PATH"].split(os.pathsep) if not (Path(f) / "liandong").exists()]
        environment = {**os.environ, "PATH": os.pathsep.join(folders)}
        return subprocess.run(
            ["sh", "-c", line], cwd=self.cwd, env=environment, capture_output=True, text=True, check=False
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop(process: subprocess.Popen[bytes]) -> None:
    """End ``make`` and the server below it as Ctrl-C does."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=30)


def make_run(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    """``make run`` for the instance ``folder/var/demo``; returns once the query line is printed.

    The virtual environment is the running one, and the network is taken from pip: what this starts is what a person's
    second start does.
    """
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PYTHONUNBUFFERED": "1"}
    command = ["make", "--no-print-directory", "run", f"VENV={sys.prefix}", f"PORT={port}"]
    log = folder / "make.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, f"DEMO={folder}/var/demo"],
            cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    for _ in range(600):
        printed = log.read_text()
        if re.search(r"liandong query .+\n", printed):
            return process, printed
        if process.poll() is not None:
            break
        time.sleep(0.1)
    stop(process)
    raise AssertionError(f"make run printed no query line:\n{log.read_text()}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(sys.prefix)
    port = free_port()
    process, printed = make_run(folder, port)
    try:
        yield Demo(folder, f"http://127.0.0.1:{port}", printed)
    finally:
        stop(process)


def test_make_run_prints_the_address_and_two_sign_ins(demo: Demo) -> None:
    assert demo.address in demo.printed
    assert CHINESE.search(demo.printed) and ENGLISH.search(demo.printed)


def test_the_printed_curl_line_works_as_printed(demo: Demo) -> None:
    run = demo.run(demo.line(r"^\s*curl "))
    assert run.returncode == 0, run.stderr
    assert "rows" in json.loads(run.stdout[run.stdout.index("{") :])


def test_the_printed_query_line_works_as_printed(demo: Demo) -> None:
    run = demo.run(demo.line(r"liandong query "))
    assert run.returncode == 0, run.stderr
    assert "rows" in json.loads(run.stdout)
    with sqlite3.connect(demo.cwd / "var/demo/ledger.db") as ledger:
        kinds = [json.loads(entry)["kind"] for (entry,) in ledger.execute("select entry from entries")]
    assert "query.served" in kinds


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_the_readmes_commands_end_as_it_says(demo: Demo, page: Path) -> None:
    blocks = re.findall(r"^<!-- runs: (\d) -->\n```sh\n(.*?)^```", page.read_text(), re.M | re.S)
    assert [status for status, _ in blocks] == ["0", "1"]
    for status, body in blocks:
        run = demo.run(f"set -e\n{body}")
        assert run.returncode == int(status), run.stdout + run.stderr
        assert CHINESE.search(run.stdout + run.stderr) and ENGLISH.search(run.stdout + run.stderr)


def test_a_second_make_run_installs_nothing_and_reuses_the_instance(tmp_path: Path) -> None:
    port = free_port()
    origins, printed = [], ""
    for _ in range(2):
        process, printed = make_run(tmp_path, port)
        stop(process)
        with sqlite3.connect(tmp_path / "var/demo/ledger.db") as ledger:
            origins.append(ledger.execute("select entry from entries where seq = 0").fetchone())
    assert origins[0] == origins[1]
    assert "正在安装" not in printed
