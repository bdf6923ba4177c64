"""The body of docs/cli.md, from the program's own help: cog writes and checks it (``make cli-docs``, ``make docs``)."""

from __future__ import annotations

from collections.abc import Iterator

import click

PROGRAM = "liandong"
WIDTH_COLUMNS = 100


def commands(command: click.Command, name: str = PROGRAM) -> Iterator[tuple[str, click.Command]]:
    """Every command a person can type, with its full name, in the order that help lists them."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None and not child.hidden:
                yield from commands(child, f"{name} {child_name}")


def help_of(command: click.Command, name: str) -> str:
    """What ``NAME --help`` prints, at a fixed width."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH_COLUMNS, max_content_width=WIDTH_COLUMNS)
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def render(main: click.Command) -> str:
    """A section for each command: its name, and its help as printed."""
    sections = [f"## {name}\n\n```text\n{help_of(command, name)}\n```\n" for name, command in commands(main)]
    return "\n".join(sections)
