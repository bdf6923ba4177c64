"""Shared fixtures: demonstration instances, and services over them in this process and in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, settings

from catalog import purpose_header, stated
from catalog.demo import build as demo_build
from catalog.identity import sessions, tokens
from catalog.identity.register import Register
from catalog.plugin import build
from catalog.purpose import Purpose
from catalog.service import Service
from catalog.serving.watch import Watch
from ledger import Instance

# Generous and without deadlines: tests say what is true, never how fast (speed is in bench/).
settings.register_profile("liandong", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("liandong")

#: What the demonstration's system asks for, unless a test says otherwise.
PURPOSE = 'case; reference="SF-2026-17"'

IN_PROCESS_URL = "http://catalog.test"


@dataclass(frozen=True)
class Running:
    """A demonstration that answers at ``url``, and what its users hold."""

    url: str
    instance: Instance
    token: str
    passwords: dict[str, str]
    port: int = 0

    @property
    def key_file(self) -> Path:
        return self.instance.path / "demo" / f"{demo_build.SYSTEM}-sys.key.pem"


@dataclass(frozen=True, kw_only=True)
class Served(Running):
    """One that a process of its own answers for; ``output`` is what it printed."""

    process: subprocess.Popen[bytes]
    output: Path


def credentials(instance: Instance) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((instance.path / "demo/credentials.json").read_text(encoding="utf-8"))
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def liandong(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "catalog", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def add_token(instance: Instance, agency: str, system: str) -> str:
    """A token for an agency's system, good for a month."""
    register = Register(instance.identity_path)
    try:
        with instance.ledger() as ledger:
            return tokens.add(register, ledger, agency, system, 30)
    finally:
        register.close()


@pytest.fixture(scope="session")
def demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demonstration, made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("template") / "demo"
    demo_build.create(folder, IN_PROCESS_URL)
    return folder


@pytest.fixture
def demo(demo_template: Path, tmp_path: Path) -> Instance:
    """A fresh copy of the demonstration."""
    folder = tmp_path / "demo"
    shutil.copytree(demo_template, folder)
    return Instance.open(folder)


@dataclass
class InProcess:
    """The whole application in this process, asked through ASGI."""

    service: Service
    client: httpx2.AsyncClient
    token: str
    passwords: dict[str, str]

    def bearer(self, purpose: str = PURPOSE) -> dict[str, str]:
        """The header fields of the demonstration's system, its purpose included unless that is empty."""
        stated = {purpose_header.NAME: purpose} if purpose else {}
        return {"authorization": f"Bearer {self.token}", **stated}

    def entries(self) -> list[dict[str, Any]]:
        """All entries, oldest first."""
        return self.service.ledger.newest(10_000)[::-1]

    async def sign_in(self, login: str, *, states: bool = True) -> dict[str, str]:
        """A session cookie's header for an officer.

        Args:
            states: the officer has just stated, for each table that a purpose opens, one that does.
        """
        response = await self.client.post("/sign-in", data={"login": login, "password": self.passwords[login]})
        assert response.status_code == 302, response.text
        cookie = response.headers["set-cookie"].partition(";")[0]
        if states:
            self._state(cookie.partition("=")[2])
        return {"cookie": cookie, "accept": "text/html"}

    def _state(self, session: str) -> None:
        actor = sessions.actor_of_session(self.service.register, session)
        assert actor is not None
        for resource, _ in self.service.decisions(actor.agency, actor.role):
            place = f"{resource['database']}/{resource['table_name']}"
            for code in (self.service.purposes_granted(actor, place) or [])[:1]:
                stated.remember(self.service.register, session, place, Purpose(code, "示执案〔2026〕17号"))


@contextlib.asynccontextmanager
async def in_process(instance: Instance, watch: Watch | None = None):  # type: ignore[no-untyped-def]
    """The application of ``instance`` with an ASGI client; closes both. ``watch`` is told of each request."""
    service = Service.open(instance)
    try:
        datasette = build(service, watch)
        await datasette.invoke_startup()
        transport = httpx2.ASGITransport(app=datasette.app(), raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url=instance.settings.public_url) as client:
            secrets = credentials(instance)
            yield InProcess(service, client, secrets["token"], secrets["passwords"])
        datasette.close()
    finally:
        service.close()


@contextlib.contextmanager
def serving(instance: Instance, *arguments: str, public_url: str = "", port: int = 0) -> Iterator[Served]:
    """``liandong serve`` in a process of its own, over real HTTP on loopback; ``arguments`` are further options.

    Args:
        public_url: where a proxy is before it.
    """
    port = port or free_port()
    instance = instance.move_to(public_url or f"http://127.0.0.1:{port}")
    log = instance.path.parent / f"serve-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "catalog", "serve", "-i", str(instance.path), "--port", str(port), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            while "serving" not in log.read_text(encoding="utf-8"):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.05)
            secrets = credentials(instance)
            url, held = instance.settings.public_url, (secrets["token"], secrets["passwords"])
            yield Served(url, instance, *held, port=port, process=process, output=log)
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def running(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A served demonstration, shared by a module's tests."""
    folder = tmp_path_factory.mktemp("served") / "demo"
    shutil.copytree(demo_template, folder)
    with serving(Instance.open(folder)) as served:
        yield served
