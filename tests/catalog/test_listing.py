"""How values, conditions and addresses of a table's pages are shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import i18n
from catalog.listing import Address, Cell, TablePage, clock, local_time, show
from catalog.titles import ColumnText, Titles
from ingest.label import Label
from ingest.mapping import packaged_mappings

TITLES = Titles({}, packaged_mappings().values())
PENALTIES = TITLES.table("work", "penalties")
RESOURCES = TITLES.table("directory", "resources")


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    token = i18n.language.set(request.param)
    yield request.param
    i18n.language.reset(token)


@pytest.fixture
def english() -> Iterator[None]:
    token = i18n.language.set("en")
    yield
    i18n.language.reset(token)


def page(query: str = "", text: object = PENALTIES) -> TablePage:
    return TablePage(text, Address.of("/work/penalties", query))  # type: ignore[arg-type]


def column(kind: str, codes: str | None = None) -> ColumnText:
    return ColumnText("c", Label("列", "Column"), None, kind, None, codes)


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("text", None, Cell("empty")),
        ("text", "", Cell("empty")),
        ("text", "00123", Cell("text", "00123")),
        ("text", "NA", Cell("text", "NA")),
        ("integer", 1234567, Cell("number", "1234567")),
        ("decimal", 1.5, Cell("number", "1.5")),
        ("integer", 0, Cell("number", "0")),
        ("date", "2026-01-05", Cell("date", "2026-01-05")),
        ("datetime", "2026-01-09T08:50:00+08:00", Cell("time", "2026-01-09 08:50")),
        ("datetime", "2026-01-09T08:50:07+08:00", Cell("time", "2026-01-09 08:50:07")),
        ("datetime", "2026-01-09T08:50:00+09:00", Cell("time", "2026-01-09T08:50:00+09:00")),
        ("list", '["警告", "罚款"]', Cell("list", "警告、罚款", items=("警告", "罚款"))),
        ("list", "not json", Cell("list", "not json", items=("not json",))),
        ("url", "https://a.example/1", Cell("url", "https://a.example/1")),
        ("url", "javascript:alert(1)", Cell("text", "javascript:alert(1)")),
    ],
)
def test_values_are_shown_by_their_type_and_stay_as_they_are(kind: str, value: object, cell: Cell) -> None:
    assert show(column(kind), value) == cell


def test_a_codes_meaning_stands_beside_it_in_the_readers_language(english: None) -> None:
    assert show(column("code", "sharing_class"), "不予共享") == Cell("text", "不予共享", "Not shared")
    assert show(column("code", "category"), "2").note == "Enforcement work data"
    assert show(column("code", "category"), "77").note == ""


def test_in_chinese_a_code_that_is_its_own_meaning_stands_alone() -> None:
    assert show(column("code", "sharing_class"), "不予共享") == Cell("text", "不予共享")


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_times_are_the_countys(moment: datetime) -> None:
    shown = datetime.fromisoformat(clock(moment) + "+08:00")
    assert 0 <= (moment - shown).total_seconds() < 1


def test_an_entrys_time_is_shown_in_the_countys_clock() -> None:
    assert local_time("2026-11-23T23:03:04.123Z") == "2026-11-24 07:03:04"


# -- conditions -------------------------------------------------------------------------------------------------------


def test_conditions_are_read_by_datasettes_rules() -> None:
    found = page("town=甲镇&party_name__contains=示例&_next=50&_facet=town&remarks__isblank=1&_x__exact=1").conditions
    assert [(c.column, c.operator, c.value) for c in found] == [
        ("所属乡镇", "等于", "甲镇"),
        ("相对人名称", "包含", "示例"),
        ("备注", "为空", ""),
        ("_x", "等于", "1"),
    ]


def test_removing_a_condition_keeps_the_others_and_begins_at_the_first_page() -> None:
    (first, second) = page("town=a&town=b&_next=50&_facet=town").conditions
    assert parse_qsl(urlsplit(first.remove_url).query) == [("town", "b"), ("_facet", "town")]
    assert parse_qsl(urlsplit(second.remove_url).query) == [("town", "a"), ("_facet", "town")]


def test_every_operator_of_the_form_has_a_title_and_so_has_its_condition(language: str) -> None:
    asked = page()
    for operator in asked.operators:
        lookup = operator.value.partition("__")[0]
        (condition,) = page(f"town__{lookup}=1").conditions
        assert condition.operator == operator.title
        assert operator.title != lookup or language == "en"


def test_a_condition_on_several_values_names_them(language: str) -> None:
    (condition,) = page('town__notin=["甲镇", "乙镇"]').conditions
    assert (condition.operator, condition.value) == ("不属于" if language == "zh" else "is none of", "甲镇、乙镇")
    (condition,) = page("town__in=甲镇,乙镇").conditions
    assert condition.value == "甲镇,乙镇"


def test_the_form_offers_no_column_whose_values_must_not_stand_in_an_address() -> None:
    names = list(PENALTIES.columns)
    offered = {view.name for view in page().askable(names)}
    assert offered & {"id_number", "credit_code", "legal_representative", "id", "_batch"} == set()
    assert "party_name" not in offered and "town" in offered
    assert "case_name" not in offered
    # Who somebody is first, then free text that names them.
    titles = [view.title for view in page().withheld(names)]
    assert titles[:4] == ["相对人名称", "统一社会信用代码", "法定代表人", "证件号码"]
    assert titles[4:] == ["案件名称", "违法事实", "处罚内容", "备注"]


def test_the_form_sends_along_conditions_and_counts_but_not_the_place() -> None:
    kept = page("town=a&_facet=town&_sort=town&_next=5&_filter_column=x&_filter_op=y&_filter_value=z").kept_args
    assert kept == [("town", "a"), ("_facet", "town")]


# -- columns ----------------------------------------------------------------------------------------------------------


def test_the_column_by_which_rows_are_known_comes_first_and_ours_are_left_aside() -> None:
    names = ["id", "data_note", "case_name", "document_no", "town", "_batch"]
    shown = page().columns(names, sort="town")
    assert [view.name for view in shown] == ["document_no", "case_name", "town"]
    assert [view.lead for view in shown] == [True, False, False]
    assert [view.sorted for view in shown] == ["", "", "asc"]
    assert {view.name for view in page().all_columns(names)} == set(names)


def test_of_the_directory_what_decides_use_comes_first() -> None:
    names = list(RESOURCES.columns)
    assert [view.name for view in page(text=RESOURCES).columns(names)][:4] == [
        "name",
        "provider",
        "category",
        "sharing_class",
    ]


def test_a_heading_sorts_and_sorts_the_other_way_when_asked_again() -> None:
    up = page("town=a&_next=5").columns(["town"])[0]
    assert parse_qsl(urlsplit(up.sort_url).query) == [("town", "a"), ("_sort", "town")]
    down = page("_sort=town").columns(["town"], sort="town")[0]
    assert parse_qsl(urlsplit(down.sort_url).query) == [("_sort_desc", "town")]
    assert page().columns(["id_number"])[0].sort_url == ""


@pytest.mark.parametrize(
    ("row", "title"),
    [({"id": 7, "document_no": "示1号"}, "示1号"), ({"id": 7, "document_no": None}, "第 7 行"), ({"id": 7}, "第 7 行")],
)
def test_a_row_is_called_by_its_number_or_its_place(row: dict[str, object], title: str) -> None:
    assert page().row_title(row) == title


# -- addresses --------------------------------------------------------------------------------------------------------


def test_an_address_that_names_a_host_is_brought_back_to_this_site() -> None:
    assert page().next_url(None) == ""
    assert page().next_url("http://elsewhere.example:80/work/penalties?_next=5") == "/work/penalties?_next=5"


def test_files_hold_the_whole_query_and_json_the_page() -> None:
    asked = page("town=a&_facet=town&_facet_array=penalty_types&_next=50&_size=10")
    assert asked.json_url.startswith("/work/penalties.json?town=a&")
    assert parse_qsl(urlsplit(asked.csv_url).query) == [("town", "a"), ("_stream", "1"), ("_dl", "1")]
    assert urlsplit(asked.csv_url).path == "/work/penalties.csv"


def test_the_first_page_is_offered_on_later_pages_only() -> None:
    assert page("town=a").first_url == ""
    assert page("town=a&_next=50").first_url == "/work/penalties?town=a"


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_addresses_keep_any_argument(args: list[tuple[str, str]]) -> None:
    address = Address("/work/penalties", tuple(args))
    again = Address.of(address.path, urlsplit(f"http://x{address}").query)
    assert again == address


# -- counts -----------------------------------------------------------------------------------------------------------


def test_counts_are_offered_until_they_are_asked_for() -> None:
    titles = [link.title for link in page(text=RESOURCES).facet_links]
    assert titles == ["信息类别", "共享属性", "提供单位", "更新周期", "开放属性"]
    left = page("_facet=provider&_facet=category", text=RESOURCES).facet_links
    assert [link.title for link in left] == ["共享属性", "更新周期", "开放属性"]
    (lists,) = [link for link in page().facet_links if "penalty_types" in link.url]
    assert "_facet_array=penalty_types" in lists.url


def test_counts_begin_at_the_first_page_on_this_site_and_say_what_codes_mean(english: None) -> None:
    url = "http://elsewhere.example/directory/resources?_next=5&category=2"
    value = {"value": "2", "count": 3, "toggle_url": url, "selected": False}
    result = {"name": "category", "results": [value], "toggle_url": url, "truncated": True}
    (facet,) = page(text=RESOURCES).facets([result])
    assert (facet.title, facet.truncated, facet.remove_url) == ("Category", True, "/work/penalties?category=2")
    assert [(v.text, v.note, v.count, v.url) for v in facet.values] == [
        ("2", "Enforcement work data", 3, "/work/penalties?category=2")
    ]
