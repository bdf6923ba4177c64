"""What all commands share: the instance option, and errors in both languages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from ledger.errors import ArgumentError, BilingualError, NoteError
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
