"""``liandong rules``: what is in force, how a deadline is counted, and who changes the rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from catalog.cli import main
from ledger import Instance
from ledger.cli_common import reading
from ledger.rules import packaged
from tests.catalog.commands.test_commands import Console

STANDARD = """
format: 1
document:
  number: 示法发〔2026〕9号
  name_zh: 示范县查询服务标准
  name_en: Service standard of Shifan County (invented)
  level: service_standard
  kind: local_standard
  valid_from: "2026-11-20"
  source: 虚构 (invented)
clauses:
  - id: local.query.days
    article_zh: 第一条
    article_en: article 1
    quote: 收到查询后两个工作日内答复。
    gist_en: Queries are answered within two working days of receipt.
    clock: {act: query, start: received, stop: supplied, working_days: 2}
"""
CALENDAR = """
format: 1
year: 2027
notice: 示例〔2026〕1号
issued: "2026-12-01"
source: 虚构 (invented)
holidays:
  - {name_zh: 元旦, name_en: "New Year's Day", first: "2027-01-01", last: "2027-01-03"}
make_up: []
"""


@pytest.fixture
def console(demo: Instance) -> Console:
    return Console(demo)


def explain(console: Console, received: str, *more: str) -> dict[str, object]:
    found = run("explain", received, *more, "--json", "-i", str(console.instance.path))
    assert found.exit_code == 0, found.output
    return json.loads(found.output)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rules", *arguments])


def test_a_query_before_and_after_the_opinion_expired() -> None:
    before = run("explain", "2026-11-18", "--packaged")
    assert before.exit_code == 0
    assert "到期 due：2026-11-23 24:00" in before.output and "法定 statutory" in before.output
    assert "2026-11-21 周六 Sat  周末，不计  weekend, skipped" in before.output
    after = run("explain", "2026-11-20", "--packaged")
    assert "不计时 no clock" in after.output and "到期" not in after.output


def test_check_says_that_the_opinion_lapsed() -> None:
    found = run("check", "--packaged", "--on", "2026-11-25")
    assert found.exit_code == 1
    assert (
        "源政办发〔2021〕19号 三(四) 已于 2026-11-19 失效" in found.output and "lapsed after 2026-11-19" in found.output
    )
    assert run("check", "--packaged", "--on", "2026-09-01").exit_code == 0
    soon = run("check", "--packaged", "--on", "2026-10-08")
    assert soon.exit_code == 0 and "将于 2026-11-19 失效" in soon.output


def test_check_says_that_a_year_has_no_calendar() -> None:
    found = run("check", "--packaged", "--on", "2027-01-04", "--json")
    assert found.exit_code == 1
    assert "no_calendar" in {notice["code"] for notice in json.loads(found.output)["notices"]}


def test_show_marks_what_does_not_hold() -> None:
    listed = run("show", "--packaged", "--on", "2026-11-25").output
    assert "y19.query" not in listed and "d809.21.conditional" in listed
    assert "hbf.57" in listed and "已废止，2026-08-14 后失效 repealed" in listed
    assert "文本未核对，不能选用 unverified" in listed
    every = run("show", "--packaged", "--on", "2026-11-25", "--all").output
    assert "y19.query" in every and "2026-11-25 无效 NOT in force" in every


def test_show_as_json_is_the_register_with_its_digests() -> None:
    value = json.loads(run("show", "--packaged", "--all", "--json").output)
    assert value["register"] == packaged().register.digest
    assert len(value["clauses"]) == len(packaged().register.clauses)


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "2026-11-18T09:00", "--packaged"),
        ("explain", "yesterday", "--packaged"),
        ("explain", "2026-02-30", "--packaged"),
        ("explain", "2026-11-18", "--agreed", "--packaged"),
        ("check", "--on", "2026-02-30", "--packaged"),
        ("explain", "2026-11-18", "-i", "/nonexistent"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_application_is_due_twice() -> None:
    application = ("--act", "application", "--packaged", "--json")
    first = json.loads(run("explain", "2026-11-23", "--sharing-class", "conditional", *application).output)
    then = json.loads(run("explain", "2026-12-01", "--agreed", *application).output)
    assert (first["clause"], first["last_day"]) == ("d809.21.conditional", "2026-12-07")
    assert (then["clause"], then["last_day"]) == ("d809.22", "2026-12-29")


def test_a_local_standard_is_adopted_by_the_data_authority_and_gives_a_clock(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "standard.yml"
    file.write_text(STANDARD, encoding="utf-8")
    before = explain(console, "2026-11-20")
    assert "sjj" not in console("rules", "adopt", str(file), exit_code=1).stdout
    console("rules", "adopt", str(file), "--as", "sfj-2", exit_code=1)
    console("rules", "adopt", str(file), "--as", "sjj-2")
    entry = console.entries()[-1]
    assert (entry["kind"], entry["by"], entry["standing"]) == ("rule.adopted", "sjj", "local_standard")
    after = explain(console, "2026-11-20")
    assert (after["clause"], after["standing"], after["last_day"]) == (
        "local.query.days",
        "local_standard",
        "2026-11-24",
    )
    assert after["register"] == entry["register"] != before["register"]
    assert (console.instance.path / "rules" / f"{entry['register']}.json").exists()
    assert "本地标准，不是法定期限 local standard, not law" in console("rules", "explain", "2026-11-20").stdout
    console("rules", "adopt", str(file), "--as", "sjj-2", exit_code=1)
    console("rules", "end", "local.query.days", "--on", "2026-12-31", "--reason", "示例", "--as", "sjj-2")
    assert explain(console, "2027-01-04")["clock"] != "due"


def test_a_calendar_confirms_what_was_unconfirmed(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "2027.yml"
    file.write_text(CALENDAR, encoding="utf-8")
    asked = ("2026-12-30", "--act", "correction")
    assert explain(console, *asked)["clock"] == "unconfirmed"
    assert "不能确认 unconfirmed：2027" in console("rules", "explain", *asked).stdout
    console("rules", "calendar", str(file), "--as", "sjj-2")
    entry = console.entries()[-1]
    found = explain(console, *asked)
    assert (entry["kind"], found["clock"], found["calendars"]) == ("calendar.adopted", "due", entry["calendars"])


def test_a_ground_is_enabled_by_the_justice_bureau_alone(console: Console) -> None:
    console("rules", "ground", "RG11", "--enable", "--reason", "示例", "--as", "sjj-2", exit_code=1)
    told = console("rules", "ground", "RG11", "--enable", "--reason", "示例", "--as", "dcs-2", exit_code=1)
    assert "县司法局" in told.stderr and "justice bureau" in told.stderr
    assert "--as" in console("rules", "ground", "RG11", "--enable", "--reason", "示例", exit_code=1).stderr
    console("rules", "ground", "RG11", "--enable", "--reason", "示例", "--as", "sfj-2")
    entry = console.entries()[-1]
    assert (entry["kind"], entry["ground"], entry["state"], entry["by"]) == ("ground.set", "RG11", "enabled", "sfj")
    assert "RG11  举报人信息 Identity of an informant  已启用 enabled" in console("rules", "show").stdout
    console("rules", "ground", "RG77", "--enable", "--reason", "示例", "--as", "sfj-2", exit_code=1)


def test_settings_of_clocks(console: Console) -> None:
    change = ("rules", "clocks", "--day-ends", "close_of_business", "--close", "17:00", "--reason", "示例")
    console(*change, "--as", "sjj-2")
    found = explain(console, "2026-11-18", "--act", "correction")
    assert found["due_at"] == "2026-12-02T09:00:00.000Z"
    console("rules", "clocks", "--close", "25:00", "--reason", "示例", "--as", "sjj-2", exit_code=1)


@pytest.mark.parametrize("text", ["", "a: 1", "format: 1\nyear: 2027", STANDARD.replace("working_days: 2", "days: 2")])
def test_a_file_that_is_wrong_leaves_no_entry(console: Console, tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.yml"
    file.write_text(text, encoding="utf-8")
    before = len(console.entries())
    console("rules", "adopt", str(file), "--as", "sjj-2", exit_code=1)
    console("rules", "calendar", str(file), "--as", "sjj-2", exit_code=1)
    console("rules", "adopt", str(tmp_path / "none"), "--as", "sjj-2", exit_code=2)
    assert len(console.entries()) == before


def test_of_two_clauses_in_a_file_none_is_adopted_where_one_cannot_be(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "two.yml"
    clause = STANDARD.partition("clauses:\n")[2]
    file.write_text(STANDARD + clause, encoding="utf-8")
    before = len(console.entries())
    assert "twice" in console("rules", "adopt", str(file), "--as", "sjj-2", exit_code=1).stderr
    assert len(console.entries()) == before


def test_the_rules_are_read_without_the_logs_key(demo: Instance) -> None:
    (demo.path / "keys" / "log.pem").unlink()
    with reading(demo):
        assert run("show", "-i", str(demo.path)).exit_code == 0
