"""What all commands share: the instance option, and errors in both languages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from ledger.errors import ArgumentError, BilingualError, InstanceError, NoteError
from ledger.log.note import VerifierKey

P = ParamSpec("P")
R = TypeVar("R")

instance_option = click.option(
    "--instance",
    "-i",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LIANDONG_INSTANCE",
    default=Path("var/demo"),
    show_default=True,
    help="The instance folder (or LIANDONG_INSTANCE). 实例目录。",
)


def bilingual_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Print our errors in both languages on stderr and end with their exit code; never a traceback."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BilingualError as error:
            click.echo(f"错误：{error.zh}", err=True)
            click.echo(f"Error: {error.en}", err=True)
            sys.exit(error.exit_code)

    return wrapper


def parse_vkey(text: str) -> VerifierKey:
    """A verifier key given on the command line. Raises :class:`ArgumentError` (exit 2) when it is malformed."""
    try:
        return VerifierKey.parse(text)
    except NoteError as error:
        raise ArgumentError(error.en, error.zh) from error


def read_file(file: Path, limit_bytes: int = 1 << 30) -> bytes:
    """The bytes of a file. Raises :class:`InstanceError` if it cannot be read, :class:`NoteError` if too large."""
    try:
        with file.open("rb") as opened:
            data = opened.read(limit_bytes + 1)
    except OSError as error:
        raise InstanceError(
            f"{file} cannot be read ({error.strerror})", f"无法读取 {file}（{error.strerror}）"
        ) from error
    if len(data) > limit_bytes:
        raise NoteError(f"{file} is larger than {limit_bytes} bytes", f"{file} 超过 {limit_bytes} 字节")
    return data


def write_file(file: Path, data: bytes) -> None:
    """Write a file. Raises :class:`InstanceError`."""
    try:
        file.write_bytes(data)
    except OSError as error:
        raise InstanceError(
            f"{file} cannot be written ({error.strerror})", f"无法写入 {file}（{error.strerror}）"
        ) from error
