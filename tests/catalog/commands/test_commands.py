"""The register from the command line: what each prints, its exit code, and that no secret is an argument."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog.cli import main
from catalog.identity import sessions
from catalog.identity.register import Register
from ledger import Instance
from tests.conftest import credentials, serving
from tools.cli_docs import commands

OWN = "seven quiet herons"
GROUPS = ("agency", "officer", "key", "token", "resource", "grant", "access")


class Console:
    """The server's console: commands on one instance, and what is typed at their prompts."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.passwords: dict[str, str] = credentials(instance)["passwords"]

    def __call__(self, *arguments: str, typed: str = "", exit_code: int = 0) -> Result:
        """Run a command; ``--as LOGIN`` types that officer's password first."""
        if "--as" in arguments:
            typed = f"{self.passwords[arguments[arguments.index('--as') + 1]]}\n{typed}"
        environment = {"LIANDONG_INSTANCE": str(self.instance.path)}
        result = CliRunner().invoke(main, list(arguments), input=typed, env=environment)
        assert result.exit_code == exit_code, result.output
        if exit_code:
            assert "错误：" in result.stderr and "Error: " in result.stderr
        else:
            assert re.search("[一-鿿]", result.output)
        return result

    def entries(self) -> list[dict[str, Any]]:
        with self.instance.ledger() as ledger:
            return ledger.newest(10_000)[::-1]

    def password_of(self, result: Result) -> str:
        (found,) = re.findall(r"^一次性密码.* (\S+)$", result.stdout, re.M)
        return found


@pytest.fixture
def console(demo: Instance) -> Iterator[Console]:
    yield Console(demo)


# -- no secret is an argument -----------------------------------------------------------------------------------------


def test_no_option_or_argument_takes_a_secret() -> None:
    for name, command in commands(main):
        if name.split()[1:2] and name.split()[1] in GROUPS:
            names = {parameter.name or "" for parameter in command.params}
            assert not {each for each in names if re.search("password|secret|passphrase", each)}, name
            assert not any(
                isinstance(each, click.Option) and each.envvar for each in command.params if each.name != "instance"
            )


def test_what_is_typed_stands_neither_in_the_arguments_nor_in_the_environment_of_the_process(console: Console) -> None:
    command = [sys.executable, "-m", "catalog", "token", "add", "--agency", "zhzf", "--system", "zhzf-sys"]
    process = subprocess.Popen(
        [*command, "--as", "zhzf-3", "-i", str(console.instance.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    password = console.passwords["zhzf-3"]
    seen = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    out, err = process.communicate(f"{password}\n", timeout=120)
    assert process.returncode == 0, err
    token = out.strip()
    assert token.startswith("ld_")
    assert password.encode() not in seen and token.encode() not in seen
    assert password not in out + err and token not in err


def test_a_line_of_standard_input_is_taken_and_the_next_is_left_for_the_next_command(console: Console) -> None:
    python = sys.executable
    lines = f"{console.passwords['zhzf-3']}\n{console.passwords['scjg-3']}\n"
    each = f'"{python}" -m catalog officer reset %s --as %s -i "{console.instance.path}"'
    script = "\n".join(each % pair for pair in (("zhzf-1", "zhzf-3"), ("scjg-1", "scjg-3")))
    run = subprocess.run(["sh", "-ec", script], input=lines, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert len(re.findall("^一次性密码", run.stdout, re.M)) == 2


# -- who acts ---------------------------------------------------------------------------------------------------------


def test_without_an_officer_it_is_the_operator_who_acts(console: Console) -> None:
    console("officer", "reset", "zhzf-3")
    assert (console.entries()[-1]["change"], console.entries()[-1]["by"]) == ("password_reset", "ywzx")


@pytest.mark.parametrize(
    "arguments",
    [
        ("officer", "enrol", "zhzf-9", "--agency", "zhzf", "--title", "岗", "--role", "officer"),
        ("officer", "reset", "zhzf-1"),
        ("officer", "disable", "zhzf-1"),
        ("officer", "roles", "zhzf-1", "--role", "admin"),
        ("token", "add", "--agency", "zhzf", "--system", "zhzf-sys"),
        ("resource", "publish", "work/penalties", "--provider", "scjg", "--class", "无条件共享"),
        ("resource", "withdraw", "work/penalties", "--reason", "测试"),
    ],
)
def test_what_is_not_the_operators_says_who_may_and_how(console: Console, arguments: tuple[str, ...]) -> None:
    before = len(console.entries())
    result = console(*arguments, exit_code=1)
    assert "--as" in result.stderr and "应由" in result.stderr
    assert len(console.entries()) == before


def test_an_officer_acts_with_their_password_and_not_beyond_their_duties(console: Console) -> None:
    console("officer", "disable", "zhzf-1", "--as", "zhzf-3")
    assert console.entries()[-1]["by"] == "zhzf"
    result = console("officer", "disable", "scjg-1", "--as", "zhzf-3", exit_code=1)
    assert "--as LOGIN" not in result.stderr
    console("officer", "enable", "zhzf-1", "--as", "zhzf-2", exit_code=1)


def test_a_wrong_password_is_an_entry_and_nothing_is_done(console: Console) -> None:
    console.passwords["zhzf-3"] = "wrong"
    console("officer", "disable", "zhzf-1", "--as", "zhzf-3", exit_code=1)
    assert [each["kind"] for each in console.entries()[-1:]] == ["auth.failed"]


def test_no_password_is_wrong_use(console: Console) -> None:
    console.passwords["zhzf-3"] = ""
    result = console("officer", "disable", "zhzf-1", "--as", "zhzf-3", exit_code=2)
    assert "no password was given" in result.stderr


def test_who_still_has_a_one_time_password_chooses_an_own_one_first(console: Console) -> None:
    console.passwords["zhzf-3"] = console.password_of(console("officer", "reset", "zhzf-3"))
    result = console("officer", "reset", "zhzf-1", "--as", "zhzf-3", exit_code=2)
    assert "liandong officer password zhzf-3" in result.stderr
    console("officer", "password", "zhzf-3", typed=f"{console.passwords['zhzf-3']}\npassword1234\n", exit_code=1)
    console("officer", "password", "zhzf-3", typed=f"{console.passwords['zhzf-3']}\n{OWN}\n")
    console.passwords["zhzf-3"] = OWN
    console("officer", "reset", "zhzf-1", "--as", "zhzf-3")


# -- agencies and officers --------------------------------------------------------------------------------------------


def test_an_agency_is_registered_and_listed_with_its_first_administrator(console: Console) -> None:
    console("agency", "register", "slj", "--name", "示范县水利局", "--short", "水利局")
    assert "尚无 none yet" in next(line for line in console("agency", "list").stdout.splitlines() if "slj" in line)
    console("officer", "enrol", "slj-3", "--agency", "slj", "--title", "管理员", "--role", "admin")
    assert "admins: slj-3" in console("agency", "list").stdout
    result = console("agency", "register", "slj", "--name", "示范县水利局", "--role", "supervisor", exit_code=2)
    assert "一个单位只有一种角色" in result.stderr
    assert "2" in str(CliRunner().invoke(main, ["agency", "register", "x", "--name", "x", "--role", "boss"]).exit_code)


def test_which_supervising_office_is_which_is_said_once_and_for_good(console: Console) -> None:
    listed = console("agency", "list").stdout  # the demonstration named both
    assert "县司法局 the justice bureau" in listed and "县政府督查室 the government inspection office" in listed
    console("agency", "register", "sjd", "--name", "示范县审计局", "--role", "supervisor")
    for arguments in (("sjd", "justice"), ("sfj", "inspection"), ("zhzf", "justice"), ("nobody", "justice")):
        console("agency", "office", *arguments, exit_code=2)
    console("agency", "office", "sjd", "justice", "--as", "sfj-3", exit_code=1)


def test_an_officers_account_from_enrolment_to_disabling(console: Console) -> None:
    admin = ("--as", "zhzf-3")
    made = console("officer", "enrol", "zhzf-8", "--agency", "zhzf", "--title", "法制科", "--role", "officer", *admin)
    assert console.password_of(made) not in made.stderr
    console("officer", "roles", "zhzf-8", "--role", "answerer", "--role", "officer", "--from", "2099-01-01", *admin)
    console(
        "officer",
        "deputy",
        "zhzf-8",
        "--for",
        "zhzf-2",
        "--role",
        "approver",
        "--to",
        "2099-01-01",
        *admin,
        exit_code=1,
    )
    today = console.entries()[-1]["t"][:4] + "-12-31"
    console("officer", "deputy", "zhzf-8", "--for", "zhzf-2", "--role", "approver", "--to", today, *admin)
    listed = console("officer", "list", "--agency", "zhzf").stdout
    assert "负责人 approver（代 for zhzf-2）" in listed and "scjg-1" not in listed
    console("officer", "deputy", "zhzf-8", "--for", "zhzf-2", "--role", "approver", "--end", *admin)
    console("officer", "deputy", "zhzf-8", "--for", "zhzf-2", "--role", "approver", *admin, exit_code=2)
    console("officer", "disable", "zhzf-8", *admin)
    assert "已停用 disabled" in console("officer", "list").stdout
    console("officer", "enable", "zhzf-8", *admin)
    console("officer", "unlock", "zhzf-8", *admin, exit_code=2)
    console("officer", "reset", "nobody", *admin, exit_code=2)
    changes = [each["change"] for each in console.entries() if each["kind"] == "officer.changed"][-6:]
    assert changes == ["enrolled", "roles", "roles", "roles", "disabled", "enabled"]


def test_roles_apart_are_refused_with_the_reason(console: Console) -> None:
    result = console(
        "officer", "roles", "zhzf-2", "--role", "admin", "--role", "approver", "--as", "zhzf-3", exit_code=1
    )
    assert "管理员与负责人不能由一人同时担任" in result.stderr


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_goes_from_the_agencys_machine_over_the_supervisors_to_the_register(
    console: Console, tmp_path: Path
) -> None:
    key, request, origin = str(tmp_path / "scjg.pem"), str(tmp_path / "r.json"), console.instance.settings.origin
    about = ("--log", origin, "--agency", "scjg", "--system", "scjg-sys", "-o", request)
    made = console("key", "new", key, "--algorithm", "ecdsa-p256-sha256")
    asked = console("key", "request", key, *about)
    (fingerprint,) = re.findall(r"(?:[0-9a-f]{4} ){15}[0-9a-f]{4}", made.stdout)
    assert fingerprint in asked.stdout
    assert "背书" in console("key", "add", request, exit_code=1).stderr
    supervisor = str(console.instance.path / "demo/sfj-sys.key.pem")
    refused = console("key", "endorse", request, "--key", supervisor, typed="n\n", exit_code=2)
    assert fingerprint in refused.stdout and json.loads(Path(request).read_text())["endorser"] is None
    assert "单位 agency       scjg" in console("key", "endorse", request, "--key", supervisor, typed="y\n").stdout
    console("key", "add", request)
    console("key", "add", request, exit_code=1)
    assert fingerprint in console("key", "list", "--agency", "scjg").stdout
    following = str(tmp_path / "scjg-2.pem")
    rotated = console("key", "rotate", key, following, *about[:-1], str(tmp_path / "r2.json"))
    console("key", "add", str(tmp_path / "r2.json"))
    (old,) = re.findall(r"p256:[0-9a-f]{32}", made.stdout)
    console("key", "revoke", old, "--reason", "rotated", "--as", "scjg-3")
    listed = console("key", "list", "--agency", "scjg").stdout
    assert (
        re.search(rf"{old} .*已吊销 revoked", listed)
        and re.findall(r"ed25519:[0-9a-f]{32}", rotated.stdout)[0] in listed
    )


def test_a_key_file_is_not_overwritten_and_must_be_private(console: Console, tmp_path: Path) -> None:
    key = tmp_path / "a.pem"
    console("key", "new", str(key))
    before = key.read_bytes()
    console("key", "new", str(key), exit_code=2)
    assert key.read_bytes() == before
    key.chmod(0o644)
    about = ("--log", "x.example/y", "--agency", "a", "--system", "a-sys", "-o", str(tmp_path / "r.json"))
    assert "chmod 600" in console("key", "request", str(key), *about, exit_code=2).stderr


def test_a_request_that_was_changed_after_it_was_endorsed_is_refused(console: Console, tmp_path: Path) -> None:
    key, request, origin = str(tmp_path / "k.pem"), tmp_path / "r.json", console.instance.settings.origin
    console("key", "new", key)
    console("key", "request", key, "--log", origin, "--agency", "scjg", "--system", "s", "-o", str(request))
    console("key", "endorse", str(request), "--key", str(console.instance.path / "demo/sfj-sys.key.pem"), "--yes")
    value = json.loads(request.read_text())
    for member, other in (("agency", "gaj"), ("system", "t"), ("endorser", "ed25519:" + "0" * 32)):
        request.write_text(json.dumps({**value, member: other}))
        console("key", "add", str(request), exit_code=1)


def test_a_key_slipped_past_the_commands_is_listed_as_not_accepted(console: Console) -> None:
    own = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    with console.instance.ledger() as ledger:
        ledger.append(
            "agency.key_added",
            {
                "agency": "scjg",
                "system": "s",
                "keyid": "ed25519:" + "0" * 32,
                "algorithm": "ed25519",
                "public_key": own,
                "expires_at": "2099-01-01T00:00:00.000Z",
                "key_signature": "00" * 64,
            },
        )
    assert "未接受 not accepted: ed25519:" + "0" * 32 in console("key", "list").stdout


# -- tokens and resources ---------------------------------------------------------------------------------------------


def test_keys_are_checked_from_the_ledger_without_any_private_key(console: Console, tmp_path: Path) -> None:
    listed = console("key", "list", "--agency", "sfj").output
    root = next(line.strip() for line in listed.splitlines() if re.fullmatch(r" {4}([0-9a-f]{4} ?){16}", line))
    (console.instance.path / "keys" / "log.pem").rename(tmp_path / "log.pem")
    said = console("key", "check", "--root", root).output
    assert "2 把密钥" in said and "zhzf-sys" in said
    assert "not the one on paper" in console("key", "check", "--root", "00 11", exit_code=1).stderr
    register = Register(console.instance.identity_path)
    register.write("UPDATE keys SET expires_at = '2099-01-01T00:00:00.000Z'")
    register.close()
    assert "past the ledger" in console("key", "check", "--root", root, exit_code=1).stderr


def test_commands_hold_at_once_in_a_service_that_is_running(demo: Instance) -> None:
    with serving(demo) as served:
        console = Console(served.instance)
        token = console("token", "add", "--agency", "zhzf", "--system", "zhzf-sys", "--as", "zhzf-3").stdout.split()[0]
        with httpx2.Client(
            base_url=served.url, headers={"authorization": f"Bearer {token}"}, trust_env=False
        ) as client:
            assert client.get("/directory/resources.json").status_code == 200
            (token_id,) = re.findall(
                r"token:[0-9a-f]{16}(?=.*至 until 20.*有效)", console("token", "list", "--agency", "zhzf").stdout
            )[:1]
            assert client.get("/work/permits.json").status_code == 200
            console("resource", "withdraw", "work/permits", "--reason", "改由省平台提供", "--as", "sjj-2")
            assert client.get("/work/permits.json").status_code == 403
            console("token", "revoke", token_id, "--as", "zhzf-3")
            for _ in range(3):
                assert client.get("/directory/resources.json").status_code == 401
        failed = [each for each in console.entries() if each["kind"] == "auth.failed"]
        assert [(each["token"], each["reason"], each["attempts"]) for each in failed] == [(token_id, "revoked", 1)]


def test_resources_are_listed_published_and_withdrawn(console: Console) -> None:
    authority = ("--as", "sjj-2")
    console("resource", "withdraw", "work/penalties", "--reason", "改由省平台提供", *authority)
    assert "work/penalties  未发布 not published" in console("resource", "list").stdout
    publish = ("resource", "publish", "work/penalties", "--provider", "scjg", "--class")
    assert "《" in console(*publish, "不予共享", *authority, exit_code=2).stderr
    console(*publish, "不予共享", "--basis", "《中华人民共和国统计法》第二十八条", *authority)
    assert "第二十八条" in console("resource", "list").stdout
    console(*publish, "有条件共享", "--condition", "限各镇", "--for-type", "镇", *authority)
    assert console.entries()[-1]["condition_types"] == ["镇"]


def test_a_session_ends_when_the_password_is_changed_on_the_console(console: Console) -> None:
    register = Register(console.instance.identity_path)
    session = sessions.start(register, "zhzf-1")
    console("officer", "password", "zhzf-1", typed=f"{console.passwords['zhzf-1']}\n{OWN}\n")
    assert sessions.actor_of_session(register, session) is None
    register.close()


@pytest.mark.parametrize("arguments", [("agency", "list"), ("officer", "list"), ("key", "list"), ("token", "list")])
def test_a_missing_instance_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*arguments, "-i", str(tmp_path / "none")])
    assert result.exit_code == 2 and "liandong init" in result.stderr
