"""Values: what each type accepts, what it refuses, and that normalising twice is normalising once."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codes import packaged_codes
from ingest.label import Label
from ingest.mapping import TYPES, Column
from ingest.normalise import (
    RefusedValue,
    RowNormaliser,
    normalise_value,
    to_boolean,
    to_code,
    to_date,
    to_datetime,
    to_decimal,
    to_integer,
    to_items,
    to_url,
)
from ingest.problems import RULES, RowProblem
from ingest.records import Record


def column(kind: str, **more: Any) -> Column:
    """A column of one type."""
    codes = packaged_codes()["update_cycle"] if kind == "code" else None
    return Column("列", "field", kind, Label("列", "Column"), codes=codes, **more)


def rule_of(raw: Any, of: Column) -> str:
    """The rule by which a value is refused."""
    with pytest.raises(RefusedValue) as refused:
        normalise_value(raw, of)
    return refused.value.rule


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1200", 1200), ("1,200", 1200), ("-7", -7), ("+7", 7), ("１２００", 1200)]
)
def test_whole_numbers_are_read(text: str, value: int) -> None:
    assert to_integer(text) == value


@pytest.mark.parametrize("text", ["00123", "12.0", "1e3", "12个", "一万", "1,20", "0x10", "", "--1", "NA", "1 200"])
def test_what_only_looks_like_a_whole_number_is_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match="integer"):
        to_integer(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "9" * 5000])
def test_whole_numbers_beyond_64_bits_are_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match="integer_range"):
        to_integer(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("-0.0", "0"),
        ("1,200.50", "1200.5"),
        ("100", "100"),
        ("0.05", "0.05"),
        ("１．５", "1.5"),
        ("-3.10", "-3.1"),
    ],
)
def test_decimals_are_read_as_their_shortest_digits(text: str, value: str) -> None:
    assert to_decimal(text) == value


@pytest.mark.parametrize("text", ["1E+05", "3万元", "007.5", ".5", "5.", "1.2.3", "¥5", ""])
def test_what_is_not_beyond_doubt_a_decimal_is_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match=r"^decimal$"):
        to_decimal(text)


def test_decimals_that_sqlite_would_round_are_refused() -> None:
    assert to_decimal("123456789012.345") == "123456789012.345"
    for text in ("1234567890123.456", "9" * 5000):
        with pytest.raises(RefusedValue, match="decimal_digits"):
            to_decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "2023-5-04",
        "2023-05-04",
        "2023/5/4",
        "2023.5.4",
        "2023年5月4日",
        "2023 年 5 月 4 日",
        "20230504",
        "２０２３－５－４",
        "2023-05-04 00:00:00",
        "2023-05-04T00:00",
    ],
)
def test_dates_written_year_first_are_read(text: str) -> None:
    assert to_date(text) == "2023-05-04"


@pytest.mark.parametrize(
    "text",
    [
        "5/4/2023",
        "23-5-4",
        "2023-5",
        "2023-2-30",
        "2023-13-1",
        "2023-5/4",
        "2023-05-04 08:30",
        "2023-5-041",
        "长期",
        "",
        "202305040830",
        "2023年5月4",
        "2023-05-04 abc",
        "x2023-05-04",
        "2" * 5000,
    ],
)
def test_dates_in_doubt_or_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match=r"^date$"):
        to_date(text)


@pytest.mark.parametrize("text", ["0202-01-01", "9999-12-31", "1899-12-30"])
def test_years_that_stand_for_something_else_are_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match="date_range"):
        to_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "2023-5-4 8:30",
        "2023-05-04T08:30:00",
        "2023年5月4日8时30分",
        "2023-05-04 08:30:00.000",
        "2023-05-04T00:30:00Z",
        "2023-05-04T08:30:00+08:00",
        "２０２３／５／４\u3000８：３０".replace("\u3000", " "),
    ],
)
def test_times_are_read_as_beijing_time(text: str) -> None:
    assert to_datetime(text) == "2023-05-04T08:30:00+08:00"


@pytest.mark.parametrize(
    "text", ["2023-05-04", "2023-05-04 24:00", "2023-05-04 8", "08:30", "2023-05-04 08:30:00.5", ""]
)
def test_times_in_doubt_or_that_would_lose_something_are_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match="datetime"):
        to_datetime(text)


def test_yes_and_no_are_read_and_nothing_else() -> None:
    assert [to_boolean(text) for text in ("是", "TRUE", "Y", "１", "否", "False", "n", "0")] == ["是"] * 4 + ["否"] * 4
    for text in ("有", "√", "maybe", "2", ""):
        with pytest.raises(RefusedValue, match="boolean"):
            to_boolean(text)


def test_addresses_are_kept_as_they_are() -> None:
    for text in ("https://data.shifan.example/portal/detail?id=1&type=开放", "http://10.0.0.1:8080/x"):
        assert to_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "data.shifan.example/x",
        "javascript:alert(1)",
        "ftp://shifan.example/",
        "https://",
        "https://a b/",
        "http://[::1/",
        "https://user:secret@shifan.example/",
        "http://shifan.example:99999/",
        "//shifan.example/",
    ],
)
def test_what_is_not_a_full_address_is_refused(text: str) -> None:
    with pytest.raises(RefusedValue, match="url"):
        to_url(text)


def test_codes_are_found_by_alias_and_others_never_guessed() -> None:
    cycles = packaged_codes()["update_cycle"]
    assert to_code("每天", cycles) == "每日"
    assert to_code("每日", cycles) == "每日"
    with pytest.raises(RefusedValue, match="code") as refused:
        to_code("牲畜饲养", cycles)
    assert "每日" in refused.value.details["allowed"]


def test_openness_never_becomes_a_sharing_class() -> None:
    with pytest.raises(RefusedValue, match="code"):
        to_code("无条件开放", packaged_codes()["sharing_class"])


@pytest.mark.parametrize(
    ("raw", "items"),
    [
        ("['xls', 'xml']", ["xls", "xml"]),
        ('["xls","xml"]', ["xls", "xml"]),
        (["xls", " xml\n"], ["xls", "xml"]),
        ([None], []),
        ("[None]", []),
        ("['xls', None, ]", ["xls"]),
        (r"['it\'s']", ["it's"]),
        ("mysql", ["mysql"]),
        ("[2021]19号", ["[2021]19号"]),
        ("", []),
        ("[]", []),
    ],
)
def test_lists_are_read_from_json_from_python_and_from_words(raw: Any, items: list[str]) -> None:
    assert to_items(raw, ()) == items


@pytest.mark.parametrize(
    "raw",
    [
        "['xls', ['xml']]",
        "[1, 2]",
        "['xls'",
        "xls']",
        "[xls]",
        "['a' + 'b']",
        "[__import__('os')]",
        [["a"]],
        [{}],
        {},
        "[" * 5000 + "]" * 5000,
        "['" + "a" * 30000 + "']",
    ],
)
def test_what_is_no_flat_list_of_texts_is_refused_and_never_run(raw: Any) -> None:
    with pytest.raises(RefusedValue, match="list"):
        to_items(raw, ())


def test_hostile_lists_are_refused_in_linear_time() -> None:
    # With a backtracking expression each of these takes minutes.
    for raw in ("['a'" + " " * 19_000 + "x]", "['a'" + ",'a'" * 4_000 + "]]", "['" + "\\" * 19_000 + "]"):
        with pytest.raises(RefusedValue, match="list"):
            to_items(raw, ())


def test_declared_separators_divide_a_text_and_others_do_not() -> None:
    assert to_items("国土资源、能源\r\n\t信息传输业\n", ("\n",)) == ["国土资源、能源", "信息传输业"]
    assert to_items("a|b;c", ("|", ";")) == ["a", "b", "c"]
    assert to_items("国土资源、能源", ()) == ["国土资源、能源"]


def test_lists_are_stored_as_json_and_joined_where_the_mapping_says() -> None:
    assert normalise_value("['xls', '其他']", column("list")) == '["xls", "其他"]'
    joined = column("text", separators=("\n",), join="；")
    assert normalise_value("甲\r\n\t乙", joined) == "甲；乙"
    assert normalise_value(["甲", "乙"], column("text", join="；")) == "甲；乙"


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("raw", [None, "", " \r\n\t\u3000", "\ufeff"])
def test_nothing_is_nothing_whatever_the_type(kind: str, raw: str | None) -> None:
    assert normalise_value(raw, column(kind)) is None
    assert rule_of(raw, column(kind, required=True)) == "required"


def test_blank_words_are_those_of_the_source_and_whole_values_only() -> None:
    blank = column("text", blank=frozenset({"暂无", "空"}))
    assert normalise_value(" 暂无 ", blank) is None
    assert normalise_value("空气质量", blank) == "空气质量"
    assert normalise_value("暂无", column("text")) == "暂无"
    assert normalise_value("['暂无', 'xls']", column("list", blank=frozenset({"暂无"}))) == '["xls"]'
    assert normalise_value("暂无", column("integer", blank=frozenset({"暂无"}))) is None


@pytest.mark.parametrize("text", ["00123", "NA", "null", "370000190001010000", "1E5", "=1+1", "１９号"])
def test_text_stays_as_it_is(text: str) -> None:
    assert normalise_value(text, column("text")) == text


def test_lines_are_kept_in_free_text_only() -> None:
    assert normalise_value("甲\r\n乙", column("text")) == "甲 乙"
    assert normalise_value("甲\r\n乙", column("text", role="free_text")) == "甲\n乙"


def test_lists_objects_long_texts_and_control_characters_are_refused() -> None:
    assert rule_of(["甲"], column("text")) == "not_scalar"
    assert rule_of({"名": "甲"}, column("integer")) == "not_scalar"
    assert rule_of("甲乙丙", column("text", max_length=2)) == "max_length"
    assert rule_of("甲\x07", column("text")) == "invalid_character"
    assert rule_of(["\ud800"], column("list")) == "invalid_character"


@pytest.mark.parametrize("kind", TYPES)
@given(raw=st.one_of(st.text(), st.from_regex(r"[0-9]{1,4}[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?"), st.lists(st.text())))
def test_normalising_twice_is_normalising_once(kind: str, raw: Any) -> None:
    of = column(kind)
    try:
        once = normalise_value(raw, of)
    except RefusedValue as refused:
        RULES[refused.rule].en.format_map(refused.details)
        RULES[refused.rule].zh.format_map(refused.details)
        return
    assert normalise_value(None if once is None else str(once), of) == once


@given(
    st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.sampled_from(["{0}-{1}-{2}", "{0}/{1}/{2}", "{0}年{1}月{2}日"])
)
def test_every_day_is_read_back(day: date, form: str) -> None:
    assert to_date(form.format(day.year, day.month, day.day)) == day.isoformat()


@given(
    st.datetimes(datetime(1901, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(microsecond=0)),
    st.integers(-23, 23),
)
def test_every_instant_stays_the_same_instant(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert datetime.fromisoformat(to_datetime(aware.isoformat())) == aware


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_whole_number_is_read_back(value: int) -> None:
    assert to_integer(str(value)) == value
    assert to_integer(f"{value:,}") == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_every_decimal_keeps_its_value(value: Decimal) -> None:
    text = f"{value:f}"
    assert Decimal(to_decimal(text)) == value
    assert "e" not in to_decimal(text).lower()


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)))
def test_every_list_is_read_back_as_python_and_as_json_print_it(items: list[str]) -> None:
    assert to_items(repr(items), ()) == items
    assert to_items(json.dumps(items), ()) == items


def test_a_row_tells_every_problem_it_has_and_requires_its_key() -> None:
    columns = (
        Column("编号", "code", "text", Label("编号", "Code")),
        Column("日期", "day", "date", Label("日期", "Day")),
        Column("数量", "amount", "integer", Label("数量", "Amount")),
    )
    record = Record(7, {"编号": " ", "日期": "5/4/2023", "数量": "12"})
    values, problems = RowNormaliser(columns, ("code",)).normalise(record)
    assert values == {"amount": 12}
    assert [(item.row, item.column, item.value, item.rule) for item in problems] == [
        (7, "编号", " ", "required"),
        (7, "日期", "5/4/2023", "date"),
    ]


def test_every_rule_speaks_both_languages_and_offers_a_cure() -> None:
    for name, rule in RULES.items():
        for text in (rule.title_en, rule.en, rule.fix_en, rule.title_zh, rule.zh, rule.fix_zh):
            assert text, name
        assert any("\u4e00" <= char <= "\u9fff" for char in rule.fix_zh), name
    problem = RowProblem(3, "列", "值", "max_length", {"got": "9", "limit": "5"})
    assert (problem.en, problem.zh) == ("9 characters, at most 5 are allowed", "共 9 个字符，最多 5 个")
