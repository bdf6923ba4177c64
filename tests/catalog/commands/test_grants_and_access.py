"""``liandong grant`` and ``liandong access``: by whom, what is recorded, and that a running service follows at once."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from catalog.purpose_header import NAME
from ledger import Instance
from tests.catalog.commands.test_commands import Console
from tests.conftest import PURPOSE, Running, serving

GIVE = ("grant", "give", "work/inspections", "--to", "zhzf", "--purpose", "lead", "--basis", "《演示办法》第七条")


@pytest.fixture
def console(demo: Instance) -> Console:
    return Console(demo)


def test_a_providers_admin_gives_and_revokes(console: Console) -> None:
    given = console(*GIVE, "--column", "party_name", "--until", "2099-12-31", "--as", "yjgl-3")
    entry = console.entries()[-1]
    assert (entry["kind"], entry["provider"], entry["grantee"]) == ("grant.given", "yjgl", "zhzf")
    assert (entry["columns"], entry["purposes"], entry["valid_to"]) == (["party_name"], ["lead"], "2099-12-31")
    assert entry["grant"] in given.stdout
    assert f"{entry['grant']}  有效 in force" in console("grant", "list", "--grantee", "zhzf").stdout
    with console.instance.ledger() as ledger:
        assert ledger.opened(entry["seq"])["officer"] == "yjgl-3"
    console("grant", "revoke", entry["grant"], "--reason", "目的已实现", "--as", "yjgl-3")
    assert console.entries()[-1]["kind"] == "grant.revoked"
    assert f"{entry['grant']}  已撤回 revoked" in console("grant", "list").stdout


@pytest.mark.parametrize("who", ["yjgl-1", "scjg-3", "sfj-3", "sjj-2"])
def test_nobody_else_gives_it(console: Console, who: str) -> None:
    before = len(console.entries())
    result = console(*GIVE, "--as", who, exit_code=2 if who.endswith("-3") else 1)
    assert "管理员" in result.stderr or "本单位" in result.stderr
    assert [entry["kind"] for entry in console.entries()[before:]] == []


def test_the_operator_at_the_console_does_not_either(console: Console) -> None:
    assert "--as" in console(*GIVE, exit_code=1).stderr
    assert "--as" in console("grant", "revoke", "g-0001", "--reason", "x", exit_code=1).stderr
    assert "--as" in console("access", "suspend", "zhzf", "--reason", "x", exit_code=1).stderr


@pytest.mark.parametrize(
    "more", [("--column", "no_such"), ("--until", "2020-01-01"), ("--until", "tomorrow"), ("--from", "2026-02-30")]
)
def test_a_grant_that_cannot_be_given_is_said_and_leaves_no_entry(console: Console, more: tuple[str, ...]) -> None:
    before = len(console.entries())
    console(*GIVE, *more, "--as", "yjgl-3", exit_code=2)
    assert len(console.entries()) == before


def test_the_data_authoritys_approver_suspends_and_restores(console: Console) -> None:
    console("access", "suspend", "zhzf", "--table", "work/penalties", "--reason", "超出范围", "--as", "sjj-2")
    entry = console.entries()[-1]
    assert (entry["kind"], entry["by"], entry["resource"]) == ("access.suspended", "sjj", "work/penalties")
    assert f"{entry['suspension']}  暂停中 suspended  zhzf" in console("access", "list").stdout
    console("access", "restore", entry["suspension"], "--reason", "整改到位", "--as", "sjj-2")
    assert console.entries()[-1]["kind"] == "access.restored"
    console("access", "restore", entry["suspension"], "--reason", "again", "--as", "sjj-2", exit_code=2)
    console("access", "suspend", "nobody", "--reason", "x", "--as", "sjj-2", exit_code=2)
    console("access", "suspend", "zhzf", "--table", "work/nothing", "--reason", "x", "--as", "sjj-2", exit_code=2)
    for other in ("sjj-1", "sfj-2", "scjg-3"):
        console("access", "suspend", "zhzf", "--reason", "x", "--as", other, exit_code=1)


# -- a running service follows ----------------------------------------------------------------------------------------


def ask(running: Running, path: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer over real HTTP."""
    headers = {"authorization": f"Bearer {running.token}", NAME: PURPOSE}
    try:
        with urllib.request.urlopen(urllib.request.Request(running.url + path, headers=headers)) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_every_process_follows_at_its_next_request(console: Console) -> None:
    """Two services over one instance, and commands in a third process."""
    path = "/work/penalties.json?_size=1"
    with serving(console.instance) as one, serving(console.instance) as other:
        for running in (one, other):
            assert ask(running, path)[0] == 200
        console("grant", "revoke", "g-0001", "--reason", "目的已实现", "--as", "scjg-3")
        for running in (one, other):
            status, body = ask(running, path)
            assert (status, body["code"]) == (403, "not_yet_granted")
        console("access", "suspend", "zhzf", "--reason", "超出范围", "--as", "sjj-2")
        for running in (other, one):
            assert ask(running, "/work/permits.json")[1]["code"] == "suspended"
        console("access", "restore", "s-0002", "--reason", "整改到位", "--as", "sjj-2")
        for running in (one, other):
            assert ask(running, "/work/permits.json?_size=1")[0] == 200


def test_a_refusal_is_counted_once_a_day_over_all_processes(console: Console) -> None:
    with serving(console.instance) as one, serving(console.instance) as other:
        for running in (one, other, one):
            assert ask(running, "/work/informants.json")[1]["code"] == "not_shared"
    kinds = [entry["kind"] for entry in console.entries() if entry.get("resource") == "work/informants"]
    assert kinds == ["resource.published", "query.refused", "query.failed", "query.failed"]


def test_a_table_that_is_published_while_serving_is_right_at_once(console: Console) -> None:
    """Published anew with another class, withdrawn, and published again."""
    path = "/work/inspections.json?_size=1"
    publish = ("resource", "publish", "work/inspections", "--provider", "yjgl", "--as", "sjj-2")
    with serving(console.instance) as running:
        assert ask(running, path)[1]["code"] == "not_yet_granted"
        console(*publish, "--class", "无条件共享")
        assert ask(running, path)[0] == 200
        console("resource", "withdraw", "work/inspections", "--reason", "目录调整", "--as", "sjj-2")
        assert ask(running, path)[1]["code"] == "not_published"
        console(*publish, "--class", "不予共享", "--basis", "《演示法》第三条")
        assert ask(running, path)[1]["code"] == "not_shared"
        console(*publish, "--class", "有条件共享", "--condition", "仅限镇", "--for-type", "镇")
        assert ask(running, path)[1]["code"] == "condition_unmet"
