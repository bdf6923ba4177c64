"""Who runs a command on an instance, and how secrets come in and go out.

Whoever has the instance folder acts as the operator, whose machine it is. What is not the operator's to do needs
``--as LOGIN`` and that officer's password, from a prompt or the first line of standard input: never from an argument,
which others see in ``ps`` and the shell keeps in its history. The service may go on running: register and ledger are
shared by all processes of the machine.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from catalog.administration import Administration
from catalog.errors import UsageError
from catalog.identity import agencies, roles, sign_in
from catalog.identity.actor import Actor
from catalog.identity.duties import DutyError
from catalog.identity.officers import CONSOLE
from catalog.identity.projection import catch_up
from catalog.identity.register import Register
from catalog.service import Service
from ledger import Instance
from ledger.cli_common import bilingual_errors, instance_option

R = TypeVar("R")

as_option = click.option(
    "--as",
    "acting",
    metavar="LOGIN",
    default="",
    help="Act as this officer; the password is asked for. 以该人员身份办理，密码另行输入。",
)
_MAX_SECRET_LENGTH = 1000


def on_instance(function: Callable[..., R]) -> Callable[..., R]:
    """A command whose first argument is the :class:`Administration` of the instance in the hands of who runs it."""

    @instance_option
    @as_option
    @bilingual_errors
    @wraps(function)
    def command(*args: Any, instance: Path, acting: str, **kwargs: Any) -> R:
        with opened(instance, acting) as office:
            try:
                return function(office, *args, **kwargs)
            except DutyError as error:
                if not acting:
                    error.en += "; with --as LOGIN you act as that officer"
                    error.zh += "；可用 --as 用户名 以其身份办理"
                raise

    return command


@contextmanager
def opened(path: Path, acting: str = "") -> Iterator[Administration]:
    """The register of the instance in ``path``.

    Args:
        acting: an officer's login; empty for the operator.

    Raises:
        BilingualError: the instance is damaged, or the password is wrong.
    """
    service = Service.open(Instance.open(path))
    try:
        actor = _officer(service, acting) if acting else _operator(service.register)
        yield Administration(service.instance, service.register, service.ledger, actor)
        catch_up(service.register, service.ledger)
    finally:
        service.close()


def read_secret(prompt: str) -> str:
    """A secret from the terminal without echo, or the next line of standard input.

    Raises:
        UsageError: there is none.
    """
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, err=True))
    secret = _read_line().rstrip("\r\n")
    if not secret:
        raise UsageError(
            "no password was given: type it when asked, or give it as a line on standard input",
            "没有输入密码：请按提示输入，或从标准输入给出一行",
        )
    return secret


def _read_line() -> str:
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:  # standard input was replaced in this process
        return sys.stdin.readline(_MAX_SECRET_LENGTH)
    line = b""
    # Byte by byte: what follows the line belongs to the next command.
    while not line.endswith(b"\n") and len(line) < _MAX_SECRET_LENGTH and (byte := os.read(descriptor, 1)):
        line += byte
    return line.decode("utf-8", "replace")


def _operator(register: Register) -> Actor:
    """Whoever has the folder; named after the operator's agency as soon as one is registered."""
    found = [each for each in agencies.agencies(register) if each["role"] == "operator"]
    names = found[0] if found else {"id": CONSOLE.agency, "name_zh": "控制台", "name_en": "console"}
    return Actor(names["id"], names["name_zh"], names["name_en"], "operator", "console", roles=frozenset({"admin"}))


def _officer(service: Service, login: str) -> Actor:
    password = read_secret(f"{login} 的密码 password of {login}")
    sign_in.verify(service.door, login, password)
    row = service.register.one(
        "SELECT o.*, a.name_zh, a.name_en, a.role, f.office FROM officers o JOIN agencies a ON a.id = o.agency "
        "LEFT JOIN offices f ON f.agency = a.id WHERE o.id = ?",
        (login,),
    )
    if row is None or row["password_until"] is not None:
        raise UsageError(
            f"{login} still has a one-time password: choose an own one first, in the browser or with "
            f"`liandong officer password {login}`",
            f"{login} 仍在使用一次性密码：请先在浏览器中或用 `liandong officer password {login}` 设置自己的密码",
        )
    held = roles.in_force(service.register, login, service.register.today())
    return Actor(
        row["agency"],
        row["name_zh"],
        row["name_en"],
        row["role"],
        "console",
        officer=login,
        officer_zh=row["title_zh"],
        officer_en=row["title_en"],
        roles=frozenset(held),
        office=row["office"],
    )
