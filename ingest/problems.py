"""Problems of rows: the rules a value can break, and what each one says in both languages.

A rule's name is stable: reports count by it and people search for it. Its sentences are templates over the
details of one finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's short name (``title_``), what one finding says (``en``, ``zh``), and how to put it right."""

    title_en: str
    title_zh: str
    en: str
    zh: str
    fix_en: str
    fix_zh: str


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "required": Rule(
            "empty",
            "缺必填值",
            "a required value is empty",
            "必填项为空",
            "fill it in at the source, or set the row aside",
            "在来源处补填，或搁置此行",
        ),
        "not_scalar": Rule(
            "not a single value",
            "不是单个值",
            "a single value is wanted, the file has {got}",
            "应为单个值，文件中是{got_zh}",
            "declare the column as a list, or give one value",
            "将该列声明为 list 类型，或只填一个值",
        ),
        "invalid_character": Rule(
            "invalid character",
            "无效字符",
            "contains the character {code}, which no text may hold",
            "含有不允许的字符 {code}",
            "remove it at the source; U+FFFD means that the text was decoded wrongly before it came here",
            "在来源处删除；U+FFFD 表示文本此前已被错误解码",
        ),
        "max_length": Rule(
            "too long",
            "过长",
            "{got} characters, at most {limit} are allowed",
            "共 {got} 个字符，最多 {limit} 个",
            "shorten it at the source, or raise max_length in the mapping",
            "在来源处缩短，或调大映射中的 max_length",
        ),
        "integer": Rule(
            "not a whole number",
            "不是整数",
            "not a whole number",
            "不是整数",
            "write digits only, as 1200; a value with leading zeros is a number only in looks: declare it as text",
            "只写数字，如 1200；以 0 开头的是编号而非数值，请声明为 text",
        ),
        "integer_range": Rule(
            "number too large",
            "数值过大",
            "a whole number too large to store exactly",
            "整数过大，无法精确存储",
            "declare the column as text if this is an identifier",
            "若为编号，请将该列声明为 text",
        ),
        "decimal": Rule(
            "not a decimal",
            "不是小数",
            "not a decimal number",
            "不是小数",
            "write it as 1200.50, with no unit, no exponent (1E+05) and no leading zeros",
            "写成 1200.50 的形式，不带单位、不用科学计数法（1E+05）、不以 0 开头",
        ),
        "decimal_digits": Rule(
            "too many digits",
            "位数过多",
            "{got} significant digits; at most 15 are stored exactly",
            "有 {got} 位有效数字，最多可精确存储 15 位",
            "declare the column as text",
            "请将该列声明为 text",
        ),
        "date": Rule(
            "not a date",
            "不是日期",
            "not a date that exists, or not in a form that is beyond doubt",
            "不是存在的日期，或写法有歧义",
            "write year, month, day, as 2023-05-04, 2023/5/4 or 2023年5月4日",
            "按年、月、日写，如 2023-05-04、2023/5/4 或 2023年5月4日",
        ),
        "date_range": Rule(
            "improbable year",
            "年份不合理",
            "the year {got} is outside 1900–2100",
            "年份 {got} 不在 1900–2100 之间",
            "correct the year; if it stands for “none”, leave it empty or list the word under blank in the mapping",
            "更正年份；若表示“无”，请留空，或在映射的 blank 中列出",
        ),
        "datetime": Rule(
            "not a date with time",
            "不是带时刻的日期",
            "not a date with a time of day",
            "不是带时刻的日期",
            "write 2023-05-04 08:30:00; declare the column as date if it has no time",
            "写成 2023-05-04 08:30:00；若无时刻，请将该列声明为 date",
        ),
        "boolean": Rule(
            "not yes or no",
            "不是是/否",
            "neither yes nor no",
            "既不是“是”也不是“否”",
            "write 是 or 否",
            "请写“是”或“否”",
        ),
        "url": Rule(
            "not a web address",
            "不是网址",
            "not a web address",
            "不是网址",
            "write it in full, beginning with http:// or https://, with no spaces and no password",
            "写全网址，以 http:// 或 https:// 开头，不含空格和口令",
        ),
        "list": Rule(
            "not a list",
            "不是列表",
            "not a list of short texts",
            "不是由短文本组成的列表",
            'write ["a", "b"], or name the separators of this column in the mapping',
            '写成 ["甲", "乙"]，或在映射中注明该列的 separators',
        ),
        "code": Rule(
            "not in the code list",
            "不在代码表内",
            "not in the code list {codes}: {allowed}",
            "不在代码表 {codes} 内：{allowed}",
            "correct it at the source; if it is another word for one of these, add it to the list's aliases",
            "在来源处更正；若是其中某值的别称，请加入代码表的 aliases",
        ),
        "cells": Rule(
            "wrong number of cells",
            "单元格数不符",
            "the line has {got} cells, the header has {want}",
            "该行有 {got} 个单元格，表头有 {want} 个",
            "look for a missing or surplus delimiter, or quote the value that contains it",
            "检查是否多写或漏写分隔符，或给含分隔符的值加引号",
        ),
        "duplicate": Rule(
            "repeated row",
            "重复行",
            "the same as {row_en}",
            "与{row_zh}完全相同",
            "remove the repeated row at the source",
            "在来源处删除重复行",
        ),
        "key_conflict": Rule(
            "same key, other content",
            "标识相同而内容不同",
            "the same key as {row_en}, with other content",
            "与{row_zh}的标识相同，而内容不同",
            "decide at the source which row is right: neither is taken",
            "请在来源处确定以哪一行为准；两行均未收入",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One thing wrong with one row.

    ``row`` is the file's line (CSV, JSON Lines) or the record's number (JSON), both counted from 1; ``column``
    is the header in the file; ``value`` is what stands there, or None where nothing does.
    """

    row: int
    column: str
    value: str | None
    rule: str
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def en(self) -> str:
        """What is wrong, in English."""
        return RULES[self.rule].en.format_map(self.details)

    @property
    def zh(self) -> str:
        """What is wrong, in Chinese."""
        return RULES[self.rule].zh.format_map(self.details)

    @property
    def fix_en(self) -> str:
        """The cure, in English."""
        return RULES[self.rule].fix_en

    @property
    def fix_zh(self) -> str:
        """The cure, in Chinese."""
        return RULES[self.rule].fix_zh
