"""Code lists: the canonical values a field may have, and the words that sources use for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType

from ingest import yaml_strict
from ingest.label import Label, label_at
from ingest.text import fold

CODES_FILE = "codes.yml"


@dataclass(frozen=True)
class CodeList:
    """One code list. ``values`` gives each canonical value's meaning; ``canonical`` finds it by any of its words."""

    name: str
    title: Label
    values: Mapping[str, Label]
    canonical: Mapping[str, str] = field(repr=False)


def parse_codes(data: bytes, file: str) -> Mapping[str, CodeList]:
    """Return the code lists of a YAML file by name.

    Raises:
        MappingError: not valid, or a word that stands for two values of one list.
    """
    lists: dict[str, CodeList] = {}
    for name, node in yaml_strict.parse(data, file).table().items():
        entries = node.table(("title", "values"), ())
        values: dict[str, Label] = {}
        canonical: dict[str, str] = {}
        for value, value_node in entries["values"].table().items():
            parts = value_node.table(("en",), ("zh", "aliases"))
            zh = parts["zh"].text() if "zh" in parts else value
            values[value] = Label(zh=zh, en=parts["en"].text())
            aliases = parts["aliases"].texts() if "aliases" in parts else ()
            for word in (value, *aliases):
                if word != fold(word):
                    raise value_node.fail(f"{word!r} has superfluous white space", f"“{word}”含多余空白")
                if word in canonical:
                    raise value_node.fail(
                        f"{word!r} already stands for {canonical[word]!r}", f"“{word}”已对应“{canonical[word]}”"
                    )
                canonical[word] = value
        lists[name] = CodeList(name, label_at(entries["title"]), MappingProxyType(values), MappingProxyType(canonical))
    return MappingProxyType(lists)


@cache
def packaged_codes() -> Mapping[str, CodeList]:
    """The code lists shipped in ``ingest/mappings/codes.yml``."""
    data = resources.files("ingest.mappings").joinpath(CODES_FILE).read_bytes()
    return parse_codes(data, CODES_FILE)
