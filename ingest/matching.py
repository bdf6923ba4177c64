"""Does a file fit a mapping? Column by column, and which mapping fits a file that names none."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.errors import MappingError
from ingest.mapping import SourceMapping
from ingest.readers import SourceFile

_NEAR_FITS = 3


def check_columns(source: SourceFile, mapping: SourceMapping) -> None:
    """Raise unless the file's columns are those the mapping takes or ignores: nothing is dropped in silence.

    Raises:
        MappingError: names every column that the mapping does not know, and every one that the file lacks.
    """
    unknown, missing = _difference(source.columns, mapping)
    if not unknown and not missing:
        return
    said_en = _said(unknown, missing, "columns the mapping does not know", "columns the file does not have")
    said_zh = _said(unknown, missing, "映射中没有的列", "文件中没有的列")
    raise MappingError(
        f"{source.name} does not fit the mapping {mapping.name}: {said_en}; map each or list it under ignore with "
        "its reason, or choose another mapping",
        f"{source.name} 与映射 {mapping.name} 不符：{said_zh}；请逐列映射或在 ignore 中写明不收的理由，或换一个映射",
    )


def detect_mapping(source: SourceFile, mappings: Iterable[SourceMapping]) -> SourceMapping:
    """Return the one mapping whose columns are exactly the file's.

    Raises:
        MappingError: none or several fit; lists the nearest with what differs.
    """
    candidates = list(mappings)
    fits = [mapping for mapping in candidates if mapping.sources == set(source.columns)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        names = ", ".join(mapping.name for mapping in fits)
        raise MappingError(
            f"several mappings fit {source.name}: {names}; name one with --mapping",
            f"有多个映射符合 {source.name}：{names}；请用 --mapping 指定",
        )
    near = sorted(candidates, key=lambda mapping: (-_likeness(source.columns, mapping), mapping.name))
    near = [mapping for mapping in near if _likeness(source.columns, mapping) > 0][:_NEAR_FITS]
    shown_en = (
        "; ".join(_near(source, item, "not in the mapping", "not in the file") for item in near) or "none is near"
    )
    shown_zh = "；".join(_near(source, item, "映射中没有", "文件中没有") for item in near) or "没有相近的"
    raise MappingError(
        f"no mapping fits the columns of {source.name} exactly; name one with --mapping. Nearest: {shown_en}",
        f"没有映射与 {source.name} 的列完全相符；请用 --mapping 指定。最接近的：{shown_zh}",
    )


def _difference(columns: tuple[str, ...], mapping: SourceMapping) -> tuple[list[str], list[str]]:
    unknown = [column for column in columns if column not in mapping.sources]
    # An ignored column may be absent: nothing is lost by that.
    missing = [column.source for column in mapping.columns if column.source not in columns]
    return unknown, missing


def _likeness(columns: tuple[str, ...], mapping: SourceMapping) -> float:
    both = mapping.sources & set(columns)
    return len(both) / len(mapping.sources | set(columns))


def _near(source: SourceFile, mapping: SourceMapping, unknown_said: str, missing_said: str) -> str:
    unknown, missing = _difference(source.columns, mapping)
    return f"{mapping.name} ({_said(unknown, missing, unknown_said, missing_said)})"


def _said(unknown: list[str], missing: list[str], unknown_said: str, missing_said: str) -> str:
    parts = [f"{unknown_said}: {'、'.join(unknown)}"] if unknown else []
    if missing:
        parts.append(f"{missing_said}: {'、'.join(missing)}")
    return "; ".join(parts)
