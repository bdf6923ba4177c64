"""A name or sentence in both languages."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.yaml_strict import Node


@dataclass(frozen=True, slots=True)
class Label:
    """The same thing said in Chinese and in English."""

    zh: str
    en: str


def label_at(node: Node) -> Label:
    """Read ``{zh: …, en: …}``; both are needed.

    Raises:
        MappingError: one is missing, or something else stands there.
    """
    entries = node.table(("zh", "en"), ())
    return Label(zh=entries["zh"].text(), en=entries["en"].text())
