"""Addresses: by what they may ask, and that no spelling lets a private column through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from catalog.arguments import refuse_arguments
from catalog.errors import RequestError
from catalog.query.get_arguments import PrivateColumnError, check
from catalog.query.schema import Schemas, TableSchema
from catalog.titles import Titles
from ingest.mapping import packaged_mappings
from ingest.schema import create_databases


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schemas]:
    folder = tmp_path_factory.mktemp("category")
    create_databases(lambda name: folder / f"{name}.db", packaged_mappings().values())
    titles = Titles({}, packaged_mappings().values())
    made = Schemas(lambda name: folder / f"{name}.db", lambda: titles)
    yield made
    made.close()


@pytest.fixture(scope="module")
def penalties(schemas: Schemas) -> TableSchema:
    """Has columns that tell who somebody is."""
    found = schemas.table("work", "penalties")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def resources(schemas: Schemas) -> TableSchema:
    """Has none."""
    found = schemas.table("directory", "resources")
    assert found is not None
    return found


#: The last two are free text, in which parties are named.
PRIVATE = ("party_name", "credit_code", "legal_representative", "id_number", "case_name", "facts")


@pytest.mark.parametrize("column", PRIVATE)
@pytest.mark.parametrize(
    "query",
    [
        "COLUMN=x",
        "COLUMN__exact=x",
        "COLUMN__contains=x",
        "COLUMN__startswith=x",
        "COLUMN__in=x,y",
        "COLUMN__isnull=1",
        "COLUMN__notblank=1",
        "COLUMN__gt=1",
        "COLUMN__date=2026-01-01",
        "COLUMN__nosuch=1",
        "town=x&COLUMN__exact=y",
        "_sort=COLUMN",
        "_sort_desc=COLUMN",
        "_facet=COLUMN",
        "_facet_array=COLUMN",
        "_facet_date=COLUMN",
        "_facet=town&_facet=COLUMN",
        "_filter_column=COLUMN&_filter_op=exact&_filter_value=x",
        "_filter_column_1=COLUMN&_filter_op_1=exact&_filter_value_1=x",
        "_sort=COLUMN&_nofacet=1&_nocount=1",
    ],
)
def test_nothing_asks_by_a_column_that_tells_who_somebody_is(penalties: TableSchema, query: str, column: str) -> None:
    for spelling in (column, column.upper(), column.title(), quote(column), "%" + f"{ord(column[0]):02x}" + column[1:]):
        with pytest.raises(PrivateColumnError) as caught:
            check(query.replace("COLUMN", spelling), penalties, "/share")
        assert caught.value.status == 400
        assert caught.value.details == {
            "code": "use_post",
            "post": {"page": "/share/query/work/penalties", "api": "/share/api/query/work/penalties"},
        }


@pytest.mark.parametrize("query", ["_search=x", "_search_party_name=x", "_search_town=x", "_search="])
def test_nothing_searches_where_such_columns_are(penalties: TableSchema, query: str) -> None:
    with pytest.raises(PrivateColumnError):
        check(query, penalties)


@pytest.mark.parametrize("value", ["甲公司,5", "x", "-1", "5,5", "12345678901234567", ""])
def test_cursors_with_values_are_refused_where_rows_are_about_somebody(penalties: TableSchema, value: str) -> None:
    with pytest.raises(PrivateColumnError):
        check(urlencode({"_next": value, "_sort": "town"}), penalties)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "_size=20",
        "_next=50",
        "town=甲镇",
        "town__exact=甲镇&_sort=decided_on&_size=max",
        "_sort_desc=decided_on",
        "_facet=town&_facet_array=penalty_types&_facet_date=decided_on&_facet_size=5",
        "_filter_column=town&_filter_op=contains&_filter_value=甲",
        "_filter_column=&_filter_op=exact&_filter_value=",
        "_sort=",
        "_shape=objects&_nl=on&_col=town&_nocol=facts",
        "_extra=columns&_nofacet=1&_nosuggest=1&_nocount=1&_dl=1&_header=off&_json=penalty_types",
        "document_no__contains=示演罚字",
        "_batch__exact=b-1",
        "_col=id_number",  # a column's name is no value of it
    ],
)
def test_other_columns_go_by_address(penalties: TableSchema, query: str) -> None:
    refuse_arguments(query)
    check(query, penalties)


def test_a_table_without_such_columns_is_searched_and_paged_by_address(resources: TableSchema) -> None:
    check("_search=许可&_sort=name&_next=某某,5", resources)
    check("summary__contains=许可", resources)  # free text, of rows that are about nobody


@pytest.mark.parametrize(
    "query",
    [
        "_where=1=1",
        '_through={"table":"x"}',
        "_fts_table=penalties",
        "_fts_pk=id",
        "_timelimit=1",
        "_trace=1",
        "_context=1",
        "_m2m=1",
        "_row=1",
        "_facet_m2m=town",
        "nosuch=1",
        "nosuch__exact=1",
        "TOWN=x",
        "rowid=1",
        "_sort=nosuch",
        "_sort=rowid",
        "_sort=town desc",
        '_sort="town"',
        "_facet=town]--",
        "_facet=" + quote(json.dumps({"simple": "town"})),
        "_facet=" + quote(json.dumps({"column": "id_number"})),
        "_facet=" + quote("[]"),
        "_filter_column=" + quote('town" or 1=1 --'),
        quote('town" = 1 or "town') + "__exact=1",
        "示例=1",
        "=1",
        "__exact=1",
    ],
)
def test_whatever_is_not_known_is_refused(penalties: TableSchema, query: str) -> None:
    with pytest.raises(RequestError) as caught:
        refuse_arguments(query)
        check(query, penalties)
    assert caught.value.status == 400
