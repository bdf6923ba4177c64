"""``python -m catalog``: the same as ``liandong``."""

from catalog.cli import main

main(prog_name="liandong")
