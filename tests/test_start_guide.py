"""docs/guide/start.md as a county walks it: every block in its order, from an empty folder to a signed query."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from ledger import Instance, Receipt
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs/guide/start.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^<!-- (step|serve).*? -->\n```sh\n(.*?)^```", GUIDE, re.M | re.S)
OWN = "seven quiet herons"


@dataclass
class County:
    """What the people of the guide have between them."""

    folder: Path
    port: int
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "LIANDONG_INSTANCE": "county", "PYTHONUNBUFFERED": "1"}

    def typed(self, body: str) -> str:
        """What is typed at the prompts of a block, in order."""
        lines = []
        for login, acting in re.findall(r"officer password (\S+)|--as (\S+)", body):
            lines += [self.passwords[login], OWN] if login else [self.passwords[acting]]
            if login:
                self.passwords[login] = OWN
        return "".join(f"{line}\n" for line in lines)

    def run(self, body: str) -> str:
        """Run a block as one pastes it; returns what it printed."""
        run = subprocess.run(
            ["sh", "-ec", body.replace("8001", str(self.port))],
            cwd=self.folder, env=self.environment, input=self.typed(body), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, f"{body}\n{run.stdout}{run.stderr}"
        for login, password in re.findall(r"^用户名.* (\S+)\n一次性密码.* (\S+)$", run.stdout, re.M):
            self.passwords[login] = password
        return run.stdout

    @contextmanager
    def serving(self, body: str) -> Iterator[None]:
        log = self.folder / "serve.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-ec", "exec " + body.replace("8001", str(self.port))],
                cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            while "serving" not in log.read_text(encoding="utf-8"):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)

    def first_sign_in(self, login: str) -> None:
        """What an administrator does in the browser, page by page."""
        with httpx2.Client(base_url=self.url, headers={"accept": "text/html"}, trust_env=False) as browser:
            signed_in = browser.post("/sign-in", data={"login": login, "password": self.passwords[login]})
            assert signed_in.status_code == 302, signed_in.text
            asked = browser.get("/agency")
            assert asked.headers["location"].startswith("/account/password?next=/agency")
            form = {"present_password": self.passwords[login], "new_password": OWN, "new_password_again": OWN}
            assert browser.post("/account/password", data=form).status_code == 303
            self.passwords[login] = OWN
            assert browser.get("/agency").status_code == 200
            officer = {"login": f"{login[:-2]}-1", "title_zh": "监督一科 监督员", "role": "officer"}
            enrolled = browser.post("/agency/enrol", data=officer)
            assert enrolled.status_code == 200 and "一次性密码" in enrolled.text


def test_the_guide_has_blocks_that_are_walked_through_and_none_that_are_not() -> None:
    assert len(BLOCKS) == len(re.findall(r"^```", GUIDE, re.M)) // 2
    assert [kind for kind, _ in BLOCKS].count("serve") == 1


def test_no_command_of_the_guide_holds_a_password() -> None:
    assert not re.search(r"--password|PASSWORD=|口令=", GUIDE)


def test_a_county_starts_as_the_guide_says(tmp_path: Path) -> None:
    (tmp_path / "catalog").symlink_to(ROOT / "catalog")
    county = County(tmp_path, free_port())
    before = [body for kind, body in BLOCKS[: [kind for kind, _ in BLOCKS].index("serve")]]
    serve, *after = BLOCKS[len(before) :]
    for body in before:
        county.run(body)
    printed = ""
    with county.serving(serve[1]):
        county.first_sign_in("dcs-3")
        for _, body in after:
            printed += county.run(body)
    rows = json.loads(printed[printed.index('{"') :].partition("\n")[0])["rows"]
    assert len(rows) == 3
    (file,) = (tmp_path / "receipts").iterdir()
    receipt = Receipt.from_json(json.loads(file.read_text(encoding="utf-8")))
    entry = receipt.verify(Instance.open(tmp_path / "county").verifier_key())
    assert (entry["kind"], entry["requester"], entry["auth"]) == ("query.served", "zhzf", "signature")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "county").rglob("*") if path.is_file())
    assert not any(password.encode() in stored for password in county.passwords.values())
