"""What all commands share: the instance option, and errors in both languages."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from ledger.errors import ArgumentError, BilingualError, NoteError
from ledger.instance import Instance
from ledger.log.cosignature import MAX_KEPT_TIME, CosignerKey
from ledger.log.note import VerifierKey
from ledger.log.store import Store, unavailable

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


@contextmanager
def reading(instance: Instance) -> Iterator[Store]:
    """The instance's ledger, opened for reading alone: neither the private key nor permission to write is needed.

    Raises:
        LedgerError: it is missing, damaged, or cannot be read now.
    """
    store = Store.open(instance.ledger_path, read_only=True)
    try:
        yield store
    except sqlite3.Error as error:
        raise unavailable(instance.ledger_path, error) from error
    finally:
        store.close()


def read_input(file: Path, limit_bytes: int = 1 << 30) -> bytes:
    """A file named on the command line. Raises :class:`ArgumentError` (exit 2): nothing was checked, nothing failed."""
    try:
        with file.open("rb") as opened:
            data = opened.read(limit_bytes + 1)
    except OSError as error:
        raise ArgumentError(
            f"{file} cannot be read ({error.strerror}); name an existing file",
            f"无法读取 {file}（{error.strerror}）；请指定存在的文件",
        ) from error
    if len(data) > limit_bytes:
        raise ArgumentError(
            f"{file} is larger than {limit_bytes} bytes; name the right file",
            f"{file} 超过 {limit_bytes} 字节；请指定正确的文件",
        )
    return data


def write_output(file: Path, data: bytes) -> None:
    """Write a file named on the command line. Raises :class:`ArgumentError` (exit 2)."""
    try:
        file.write_bytes(data)
    except OSError as error:
        raise ArgumentError(
            f"{file} cannot be written ({error.strerror}); name a file in a folder that you may write",
            f"无法写入 {file}（{error.strerror}）；请指定有写权限的目录中的文件",
        ) from error


def parse_vkey(text: str) -> VerifierKey:
    """A verifier key given on the command line. Raises :class:`ArgumentError` (exit 2) when it is malformed."""
    try:
        return VerifierKey.parse(text)
    except NoteError as error:
        raise ArgumentError(error.en, error.zh) from error


def parse_witness(text: str) -> CosignerKey:
    """A witness's key given on the command line. Raises :class:`ArgumentError` (exit 2) when it is malformed."""
    try:
        return CosignerKey.parse(text)
    except NoteError as error:
        raise ArgumentError(error.en, error.zh) from error


def instant(time: int) -> str:
    """A witness's POSIX time (seconds), for people; one beyond the calendar, of a wrong clock, as it is."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}" if time <= MAX_KEPT_TIME else f"{time} s"
