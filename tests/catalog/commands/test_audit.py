"""``liandong audit anomalies``: what the rules flag, for people and for programs, while the service may be running."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from catalog.anomalies.review import review
from catalog.anomalies.shelf import FILE, Filter, Shelf
from catalog.anomalies.thresholds import defaults
from catalog.cli import main
from catalog.identity.actor import Actor
from ledger import Instance
from tests.catalog.anomalies.history import failed, turned_away

SUPERVISOR = Actor(
    "sfj", "示范县司法局", "Justice Bureau", "supervisor", "session", officer="sfj-1", roles=frozenset({"officer"})
)


@pytest.fixture
def audit(demo: Instance) -> Callable[..., Result]:
    def run(*arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["audit", "anomalies", "--instance", str(demo.path), *arguments])
        assert result.exit_code == exit_code, result.output
        return result

    return run


@pytest.fixture
def flagged(demo: Instance) -> Instance:
    with demo.ledger() as ledger:
        for fields, times in ((turned_away(), 31), (failed("bjd", 22), 1)):
            plain = {name: value for name, value in fields.items() if name != "kind"}
            for _ in range(times):
                ledger.append(fields["kind"], plain, particulars={"query": "GET /work/inspections.json?name=某某某"})
    return demo


def test_nothing_odd_is_said_too(audit: Callable[..., Result]) -> None:
    assert audit().stdout == "共 0 项 0 flags\n"
    assert json.loads(audit("--json").stdout) == []


def test_flags_are_listed_newest_first_in_both_languages_without_what_was_asked(
    flagged: Instance, audit: Callable[..., Result]
) -> None:
    printed = audit().stdout
    assert printed.index("身份认证多次失败 Failed proofs of identity") < printed.index("屡被转请求")
    assert "31 queries in this hour were referred, refused or failed" in printed
    assert "未核查 to be reviewed" in printed
    assert printed.endswith("共 2 项 2 flags\n")
    assert "某某某" not in printed


def test_a_program_gets_numbers_entries_and_verdicts(flagged: Instance, audit: Callable[..., Result]) -> None:
    shelf = Shelf(flagged.path / FILE, defaults())
    with flagged.ledger() as ledger:
        shelf.follow(ledger)
        ((flag, _),) = shelf.flags(Filter(rule="turned_away"), 10)
        done = review(ledger, flag, "incident", "情况属实（虚构）", SUPERVISOR)
    shelf.close()
    wrong, away = json.loads(audit("--json").stdout)
    assert (wrong["rule"], wrong["agency"], wrong["numbers"], wrong["verdict"]) == (
        "auth_failed",
        "bjd",
        {"value": 22},
        None,
    )
    assert (away["verdict"], away["reviewed_by"], away["review_entry"]) == ("incident", "sfj", done.seq)
    assert (away["count"], len(away["entries"])) == (31, 31)
    assert away["en"] and away["zh"]
    assert "sfj-1" not in json.dumps(away)
    assert "情况属实" not in json.dumps(away, ensure_ascii=False)
    assert [each["rule"] for each in json.loads(audit("--json", "--open").stdout)] == ["auth_failed"]
    assert "事件 incident (sfj" in audit().stdout


def test_since_a_day(flagged: Instance, audit: Callable[..., Result]) -> None:
    today = (datetime.now(UTC) + timedelta(hours=8)).date()
    assert len(json.loads(audit("--json", "--since", (today - timedelta(days=1)).isoformat()).stdout)) == 2
    assert json.loads(audit("--json", "--since", (today + timedelta(days=2)).isoformat()).stdout) == []


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "2026-1-1"])
def test_a_day_out_of_form_is_a_usage_error(audit: Callable[..., Result], day: str) -> None:
    assert "2026-11-25" in audit("--since", day, exit_code=2).stderr


def test_bad_thresholds_are_named(demo: Instance, audit: Callable[..., Result]) -> None:
    (demo.path / "anomalies.yml").write_text("bulk_rows: {floor: none}\n", encoding="utf-8")
    result = audit(exit_code=2)
    assert "bulk_rows floor is not a whole number" in result.stderr
    assert "错误：" in result.stderr
