"""What a flag says, in both languages: the rule's name, and a sentence with the numbers that made it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.anomalies.repeated_purpose import RULE as REPEATED
from catalog.anomalies.rules import NAMES, Flag
from catalog.anomalies.thresholds import Thresholds

#: By rule: English, Chinese.
TITLES: Mapping[str, tuple[str, str]] = {
    "bulk_rows": ("Many rows at once", "短时间内取得大量数据"),
    "bulk_queries": ("Many queries at once", "短时间内大量查询"),
    "growth": ("Sudden growth", "查询量突增"),
    "off_hours": ("Outside working time", "非工作时间查询"),
    "new_purpose": ("A purpose never stated before", "从未用过的事由"),
    "purpose_shift": ("A rare purpose, often", "少用事由骤增"),
    "turned_away": ("Turned away again and again", "屡被转请求、不予提供或失败"),
    "auth_failed": ("Failed proofs of identity", "身份认证多次失败"),
    REPEATED: ("The same purpose again and again", "同一事由反复使用"),
}
#: Every rule, as lists offer them.
RULES = (*NAMES, REPEATED)
#: What was measured, and against what. ``{usual}`` is the median, ``{times}`` how many times it.
_SENTENCES: Mapping[str, tuple[str, str]] = {
    "bulk_rows": (
        "{value:,} rows in this hour; the {hours} hours with queries of this table before had {usual} at the median",
        "这一小时取得 {value:,} 行；此前有查询的 {hours} 个小时，中位数为 {usual} 行",
    ),
    "bulk_queries": (
        "{value:,} queries in this hour; the {hours} hours with queries of this table before had {usual} at the median",
        "这一小时查询 {value:,} 次；此前有查询的 {hours} 个小时，中位数为 {usual} 次",
    ),
    "growth": (
        "{value:,} rows on this day over all tables; the {days} days before had {usual} at the median",
        "当日在全部数据表共取得 {value:,} 行；此前 {days} 天，每日中位数为 {usual} 行",
    ),
    "off_hours": (
        "{value:,} queries by officers outside {begins}–{ends} of a working day",
        "人员在工作日 {begins}—{ends} 以外查询 {value:,} 次",
    ),
    "new_purpose": (
        "a purpose stated {value:,} times on this day and never before, in {history:,} queries of this table with "
        "{codes} other purposes",
        "当日说明该事由 {value:,} 次；此前对该表说明事由的 {history:,} 次查询中从未出现（共用过 {codes} 种其他事由）",
    ),
    "purpose_shift": (
        "a purpose stated {value:,} times on this day, in {before:,} of the {history:,} queries of this table before",
        "当日说明该事由 {value:,} 次；此前对该表的 {history:,} 次查询中只有 {before:,} 次",
    ),
    "turned_away": (
        "{value:,} queries in this hour were referred, refused or failed",
        "这一小时有 {value:,} 次查询被转请求、不予提供或失败",
    ),
    "auth_failed": (
        "{value:,} failed proofs of identity in this hour with what is registered for this agency",
        "这一小时用本单位已登记的凭证认证失败 {value:,} 次",
    ),
    REPEATED + ".reference": (
        "one reference for {value:,} queries of {tables}",
        "同一文号或编号用于 {value:,} 次查询、{others} 张数据表",
    ),
    REPEATED + ".words": (
        "the same words for {value:,} queries under {others} references",
        "同样的用途说明用于 {value:,} 次查询、{others} 个文号或编号",
    ),
}
#: Added where a median decided; where there was too little for one, another sentence.
_COMPARED = ("; {factor} times the median and more is flagged", "；达到中位数的 {factor} 倍即提示")
_WITHOUT_HISTORY: Mapping[str, tuple[str, str]] = {
    "bulk_rows": (
        "{value:,} rows in this hour; {hours} hours with queries of this table before are too few to compare with",
        "这一小时取得 {value:,} 行；此前有查询的只有 {hours} 个小时，历史过少，无法比较，仅按数量提示",
    ),
    "bulk_queries": (
        "{value:,} queries in this hour; {hours} hours with queries of this table before are too few to compare with",
        "这一小时查询 {value:,} 次；此前有查询的只有 {hours} 个小时，历史过少，无法比较，仅按数量提示",
    ),
}


def sentence(flag: Flag, thresholds: Thresholds) -> tuple[str, str]:
    """Why it was flagged, in English and Chinese, with its numbers."""
    numbers = dict(flag.numbers)
    working = thresholds.working_time
    values = {
        **numbers,
        "usual": _half(numbers.pop("median2", 0)),
        "tables": "one table" if numbers.get("others") == 1 else f"{numbers.get('others', 0)} tables",
        "begins": working.begins,
        "ends": working.ends,
    }
    if flag.rule in _WITHOUT_HISTORY and numbers["hours"] < thresholds.of(flag.rule)["least_hours"]:
        en, zh = _WITHOUT_HISTORY[flag.rule]
    else:
        en, zh = _SENTENCES[_key(flag)]
        if "factor" in numbers:
            en, zh = en + _COMPARED[0], zh + _COMPARED[1]
    return en.format(**values), zh.format(**values)


def _key(flag: Flag) -> str:
    """A repeated purpose has two sentences: its code says what was repeated."""
    return f"{flag.rule}.{flag.code}" if flag.rule == REPEATED else flag.rule


def _half(doubled: int) -> str:
    """Half of a whole number, as people write it."""
    return f"{doubled // 2:,}" + (".5" if doubled % 2 else "")
