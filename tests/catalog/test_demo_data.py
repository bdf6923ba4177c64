"""The demonstration county: invented, clean, consistent, and the same bytes whenever it is made again."""

from __future__ import annotations

import csv
import io
import re
import secrets
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.purpose import CODES
from ingest.batches import Batch
from ingest.load import Loader
from ingest.mapping import packaged_mappings
from ingest.matching import detect_mapping
from ingest.normalise import RowNormaliser
from ingest.quality import Report
from ingest.readers import open_source
from ingest.records import Record
from ingest.schema import create_databases, tables_of
from ledger.log import canonical

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "catalog" / "demo"
LAWS = ROOT.parent / "shared" / "data" / "laws"
GENERATED = ("penalties", "permits", "inspections", "activities", "monitoring_points", "alerts", "documents")
FILES = (*GENERATED, "county_catalog")
HELD_HERE = "本系统"
AGENCY_TYPES = {"镇", "街道", "开发区", "部门", "垂直"}
OFFICER_ROLES = {"officer", "answerer", "approver", "admin"}
CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
#: Dates that lie ahead by their nature: how long something is valid, shown or may take.
AHEAD = {"公示截止期", "有效期至", "整改期限"}


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a demonstration file by header."""
    return list(csv.DictReader(io.StringIO((DEMO / f"{name}.csv").read_bytes().decode("utf-8-sig"), newline="")))


def read_yaml(name: str) -> Any:
    """A YAML file of the demonstration county."""
    return yaml.safe_load((DEMO / name).read_text(encoding="utf-8"))


def id_number_is_valid(number: str) -> bool:
    """Check digit of GB 11643-1999."""
    weights = [pow(2, 17 - place, 11) for place in range(17)]
    total = sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def credit_code_is_valid(code: str) -> bool:
    """Check digit of GB 32100-2015."""
    total = sum(CREDIT_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(code[:17]))
    return CREDIT_ALPHABET[(31 - total % 31) % 31] == code[17]


COUNTY = read_yaml("county.yml")
RULES = read_yaml("rules.yml")
AGENCIES = {agency["id"]: agency for agency in COUNTY["agencies"]}
TABLES = {(table["database"], table["table"]): table for table in COUNTY["tables"]}


# --- the checks themselves -------------------------------------------------------------------------------------------


def test_the_check_digit_of_an_identity_number_is_recognised() -> None:
    body = "99000019000101001"
    # The recursive form of ISO 7064 MOD 11-2, independent of the weights above.
    remainder = 0
    for digit in body:
        remainder = (remainder + int(digit)) * 2 % 11
    right = "0123456789X"[(12 - remainder) % 11]
    assert [end for end in "0123456789X" if id_number_is_valid(body + end)] == [right]


def test_the_check_digit_of_a_credit_code_is_recognised() -> None:
    # Weights 1, 3, 9, 27: 1·1 leaves 31 - 1 = 30, the last character; 1·3 leaves 28; two ones leave 27.
    assert credit_code_is_valid("1" + "0" * 16 + "Y")
    assert credit_code_is_valid("01" + "0" * 15 + "W")
    assert credit_code_is_valid("11" + "0" * 15 + "U")
    body = "91990000MADEM0001"
    assert len([end for end in CREDIT_ALPHABET if credit_code_is_valid(body + end)]) == 1


# --- files -----------------------------------------------------------------------------------------------------------


def test_the_generator_makes_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_demo_data.py"), "--out", str(tmp_path)],
        check=True,
        capture_output=True,
    )
    assert done.stderr == b""
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(GENERATED)
    for name in GENERATED:
        assert (tmp_path / f"{name}.csv").read_bytes() == (DEMO / f"{name}.csv").read_bytes(), name


def test_the_generator_says_which_file_differs(tmp_path: Path) -> None:
    for name in GENERATED:
        (tmp_path / f"{name}.csv").write_bytes((DEMO / f"{name}.csv").read_bytes())
    (tmp_path / "alerts.csv").write_bytes(b"changed")
    command = [sys.executable, str(ROOT / "tools" / "make_demo_data.py"), "--check", "--out", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1
    assert "alerts.csv" in done.stderr
    assert "permits.csv" not in done.stderr
    assert (tmp_path / "alerts.csv").read_bytes() == b"changed"


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_enough_rows_to_browse_and_is_utf8_with_bom(name: str) -> None:
    assert (DEMO / f"{name}.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert 40 <= len(read_rows(name)) <= 300


@pytest.mark.parametrize("name", GENERATED)
def test_every_row_says_that_it_is_demonstration_data(name: str) -> None:
    assert {row["数据说明"] for row in read_rows(name)} == {"演示数据"}
    assert next(iter(read_rows(name)[0])) == "数据说明"


def test_every_row_of_the_catalogue_says_that_it_is_demonstration_data() -> None:
    assert {row["来源"] for row in read_rows("county_catalog")} == {"示范县（演示数据）"}


@pytest.mark.parametrize("name", FILES)
def test_no_identifier_in_the_samples_passes_its_check_digit(name: str) -> None:
    text = (DEMO / f"{name}.csv").read_text(encoding="utf-8-sig")
    numbers = re.findall(r"(?<!\d)\d{17}[\dXx](?![\dXx])", text)
    assert [number for number in numbers if id_number_is_valid(number)] == []
    assert {number[:6] for number in numbers} <= {"990000"}
    words = re.findall(rf"(?<![{CREDIT_ALPHABET}])[{CREDIT_ALPHABET}]{{18}}(?![{CREDIT_ALPHABET}])", text)
    assert [word for word in words if credit_code_is_valid(word)] == []
    assert {word[2:8] for word in words if word not in numbers} <= {"990000"}


def test_identifiers_are_present_where_the_checks_look_for_them() -> None:
    rows = read_rows("penalties")
    assert any(row["证件号码"] for row in rows)
    for row in rows:
        assert bool(row["证件号码"]) != bool(row["统一社会信用代码"])
        assert len(row["证件号码"] or row["统一社会信用代码"]) == 18


@pytest.mark.parametrize("name", FILES)
def test_every_date_lies_in_2026_before_20_november_unless_it_lies_ahead_by_nature(name: str) -> None:
    first, last = "2026-01-01", "2026-11-19"
    for row in read_rows(name):
        for header, value in row.items():
            if re.match(r"\d{4}-\d{2}-\d{2}", value):
                assert date.fromisoformat(value[:10])
                assert first <= value[:10]
                assert header in AHEAD or value[:10] <= last, (name, header, value)


@pytest.mark.parametrize("name", GENERATED)
def test_parties_and_places_are_evidently_invented(name: str) -> None:
    for row in read_rows(name):
        for header in ("相对人名称", "检查对象", "所属单位", "预警对象", "当事人"):
            assert header not in row or re.fullmatch(r"(示例\w+|演示当事人)\d{3}", row[header])
        if row.get("所属乡镇"):
            assert row["所属乡镇"] in {"甲镇", "乙镇", "丙街道", "丁镇", "戊镇", "示范经济开发区"}
        if row.get("法定代表人"):
            assert row["法定代表人"].startswith("演示负责人")


def test_one_party_turns_up_at_several_agencies() -> None:
    held = {
        name: {row["统一社会信用代码"] for row in read_rows(name)} - {""} for name in GENERATED if name != "activities"
    }
    everywhere = held["penalties"] & held["inspections"] & held["monitoring_points"] & held["alerts"]
    assert len(everywhere) >= 5


def test_documents_and_alerts_point_to_rows_that_exist() -> None:
    decisions = {row["决定书文号"]: row for row in read_rows("penalties")}
    for row in read_rows("documents"):
        assert decisions[row["决定书文号"]]["相对人名称"] == row["当事人"]
        assert row["制作日期"] <= row["归档日期"]
    points = {row["点位编号"]: row for row in read_rows("monitoring_points")}
    for row in read_rows("alerts"):
        assert bool(row["点位编号"]) == (row["预警来源"] == "监控点位")
        assert not row["点位编号"] or points[row["点位编号"]]["统一社会信用代码"] == row["统一社会信用代码"]


def test_a_joint_activity_has_at_least_two_agencies_and_a_patrol_has_one() -> None:
    for row in read_rows("activities"):
        assert (row["参与单位"] == "") == (row["执法形式"] == "日常巡查")
        assert row["开始时间"] < row["结束时间"]
        assert row["牵头单位"] not in row["参与单位"]


# --- mappings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_header_of_a_file_is_known_to_its_mapping_and_the_other_way_round(name: str) -> None:
    mapping = packaged_mappings()[name]
    assert set(read_rows(name)[0]) == mapping.sources


@pytest.mark.parametrize("name", FILES)
def test_every_column_is_described_in_both_languages_for_the_data_dictionary(name: str) -> None:
    mapping = packaged_mappings()[name]
    assert mapping.description is not None
    for column in mapping.columns:
        assert column.description is not None, column.field
        assert column.description.zh.endswith("。"), column.field
        assert column.description.en.endswith("."), column.field
        assert not re.search(r"[\u4e00-\u9fff]", column.title.en + column.description.en), column.field


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_read_without_a_problem_and_every_key_is_unique(name: str) -> None:
    mapping = packaged_mappings()[name]
    normaliser = RowNormaliser(mapping.columns, mapping.key)
    keys = set()
    rows = read_rows(name)
    for number, row in enumerate(rows, start=1):
        values, problems = normaliser.normalise(Record(number, row))
        assert problems == []
        keys.add(tuple(values[field] for field in mapping.key))
    assert len(keys) == len(rows)


def load_all(folder: Path, recorded: list[Batch]) -> dict[str, Report]:
    """Load every file with its mapping into the databases in ``folder``."""
    mappings = packaged_mappings()
    tables = tables_of(mappings.values())

    def record(batch: Batch) -> int:
        recorded.append(batch)
        return len(recorded)

    reports = {}
    for name in FILES:
        mapping = mappings[name]
        loader = Loader(
            database=folder / f"{mapping.database}.db",
            table=tables[(mapping.database, mapping.table)],
            mapping=mapping,
            secret=bytes(32),
            record=record,
            now=lambda: datetime(2026, 11, 23, 8, tzinfo=UTC),
            random=secrets.token_bytes,
        )
        with open_source(DEMO / f"{name}.csv") as source:
            reports[name] = loader.load(source)
    return reports


def test_all_files_load_without_a_problem_and_a_second_time_without_a_change(tmp_path: Path) -> None:
    create_databases(lambda name: tmp_path / f"{name}.db", packaged_mappings().values())
    batches: list[Batch] = []
    for name, report in load_all(tmp_path, batches).items():
        rows = len(read_rows(name))
        assert (report.rows_read, report.rows_added, report.rows_set_aside) == (rows, rows, 0), name
        assert report.problems == [], name
    for name, report in load_all(tmp_path, batches).items():
        changes = (report.rows_added, report.rows_changed, report.rows_removed, report.rows_set_aside)
        assert changes == (0, 0, 0, 0), name
        assert report.rows_unchanged == len(read_rows(name)), name
    assert len(batches) == 2 * len(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_recognised_by_its_columns(name: str) -> None:
    with open_source(DEMO / f"{name}.csv") as source:
        assert detect_mapping(source, packaged_mappings().values()).name == name


@pytest.mark.parametrize("name", GENERATED)
def test_names_and_identifiers_of_persons_are_marked_personal(name: str) -> None:
    roles = {column.source: column.role for column in packaged_mappings()[name].columns}
    for header in ("法定代表人", "证件号码", "执法人员证号"):
        assert roles.get(header, "personal") == "personal"
    assert roles.get("统一社会信用代码", "subject_id") == "subject_id"


# --- county.yml ------------------------------------------------------------------------------------------------------


def test_the_county_has_agencies_of_all_types_two_supervisors_one_data_authority_and_one_operator() -> None:
    roles = [agency["role"] for agency in AGENCIES.values()]
    assert len(AGENCIES) == len(COUNTY["agencies"])
    assert (roles.count("supervisor"), roles.count("data_authority"), roles.count("operator")) == (2, 1, 1)
    assert 8 <= roles.count("agency") <= 10
    assert {agency["type"] for agency in AGENCIES.values()} == AGENCY_TYPES


def test_every_agency_has_its_own_system_and_separate_people_who_answer_and_who_approve() -> None:
    logins = []
    for agency in AGENCIES.values():
        assert re.fullmatch(r"[a-z]+", agency["id"])
        assert agency["system"]["id"] == f"{agency['id']}-sys"
        assert agency["contact"]["zh"]
        held = [set(officer["roles"]) for officer in agency["officers"]]
        wanted = {"officer", "admin"} if agency["role"] == "operator" else OFFICER_ROLES
        assert set().union(*held) == wanted
        assert not any({"answerer", "approver"} <= roles for roles in held)
        logins += [officer["login"] for officer in agency["officers"]]
    assert len(logins) == len(set(logins))
    assert all(re.fullmatch(r"[a-z]+-\d", login) for login in logins)


def test_the_county_says_in_both_languages_that_it_is_invented() -> None:
    assert COUNTY["county"]["zh"] == "示范县（演示）"
    assert COUNTY["origin"].split("/")[0].endswith(".example")
    assert "虚构" in COUNTY["notice"]["zh"]
    assert "invented" in COUNTY["notice"]["en"]


def test_every_table_names_a_mapping_that_fills_it_a_file_and_its_provider() -> None:
    for (database, table), held in TABLES.items():
        mapping = packaged_mappings()[held["mapping"]]
        assert (mapping.database, mapping.table) == (database, table)
        assert (DEMO / held["file"]).is_file()
        assert held["provider"] in AGENCIES
    assert {held["mapping"] for held in TABLES.values()} == set(FILES)


def test_every_authority_in_the_rows_is_the_table_provider() -> None:
    for held in TABLES.values():
        for row in read_rows(held["mapping"]):
            for header in ("处罚机关", "许可机关", "检查机关", "报送单位", "管理机关", "发布机关", "立卷单位"):
                assert row.get(header) in (None, AGENCIES[held["provider"]]["name"]["zh"])


def test_every_grant_names_existing_agencies_and_a_conditional_table_of_its_provider() -> None:
    clauses = {clause["id"]: clause for clause in RULES["clauses"]}
    catalogue = {row["目录代码"]: row for row in read_rows("county_catalog")}
    assert len({grant["id"] for grant in COUNTY["grants"]}) == len(COUNTY["grants"])
    for grant in COUNTY["grants"]:
        held = TABLES[(grant["database"], grant["table"])]
        entry = catalogue[held["code"]]
        assert grant["provider"] == held["provider"]
        assert grant["grantee"] in AGENCIES
        assert grant["grantee"] != grant["provider"]
        assert entry["共享属性"] == "有条件共享"
        assert date.fromisoformat(grant["valid_from"]) < date.fromisoformat(grant["valid_to"])
        assert grant["purposes"]
        for purpose in grant["purposes"]:
            assert CODES[purpose].zh in entry["共享条件"], (grant["id"], purpose)
        clause = clauses[grant["clause"]]
        assert grant["legal_basis"]["zh"] == f"《{RULES['title']['zh']}》{clause['article']['zh']}"
        assert grant["legal_basis"]["en"] == f"{RULES['title']['en']}, {clause['article']['en']}"


# --- rules.yml -------------------------------------------------------------------------------------------------------


def test_the_rule_is_marked_as_invented_and_never_as_statutory() -> None:
    assert COUNTY["rules"] == RULES["id"]
    assert "演示文本" in RULES["title"]["zh"]
    assert "没有法律效力" in RULES["notice"]["zh"]
    assert "no legal force" in RULES["notice"]["en"]
    assert RULES["standing"] == "local_standard"


def test_every_clause_has_an_identifier_dates_and_both_languages() -> None:
    seen = set()
    for clause in RULES["clauses"]:
        assert clause["id"].startswith(f"{RULES['id']}.")
        assert RULES["valid_from"] <= clause["valid_from"] < clause["valid_to"] <= RULES["valid_to"]
        assert clause["text"]["zh"]
        assert clause["text"]["en"]
        seen.add(clause["id"])
    assert len(seen) == len(RULES["clauses"])


def test_the_rule_can_be_digested_as_canonical_json() -> None:
    assert canonical.decode(canonical.encode(RULES)) == RULES


def test_the_rule_covers_every_event_of_the_sample_data() -> None:
    assert RULES["valid_from"] <= "2026-01-01"
    assert RULES["valid_to"] >= "2026-11-23"


def test_the_answer_is_due_three_working_days_after_receipt_and_cannot_be_extended() -> None:
    clauses = {clause["id"]: clause for clause in RULES["clauses"]}
    clock = clauses["sf-2026.answer"]["clock"]
    assert clock == {
        "act": "query",
        "starts": "received",
        "stops": "supplied",
        "limit": {"count": 3, "unit": "working_day"},
        "extension": "none",
    }
    assert clauses["sf-2026.urgent"]["clock"]["limit"] == {"unit": "at_once"}
    assert clauses["sf-2026.refusal"]["refusal"] == {"basis": "statute", "secrecy_alone": False, "partial": True}


# --- county_catalog.csv ----------------------------------------------------------------------------------------------


def test_the_catalogue_covers_all_six_categories_all_agencies_and_all_sharing_classes() -> None:
    rows = read_rows("county_catalog")
    assert {row["类别代码"] for row in rows} == {"1", "2", "3", "4", "5", "6", "9"}
    providers = {agency["name"]["zh"] for agency in AGENCIES.values() if agency["role"] != "operator"}
    assert {row["提供单位"] for row in rows} == providers
    assert {row["共享属性"] for row in rows} == {"无条件共享", "有条件共享", "不予共享", "未定"}
    assert {row["共享渠道"] for row in rows} == {"平台", "办理台", HELD_HERE}


def test_a_condition_is_listed_for_conditional_entries_and_a_basis_for_those_not_shared_and_only_there() -> None:
    for row in read_rows("county_catalog"):
        assert bool(row["共享条件"]) == (row["共享属性"] == "有条件共享"), row["资源名称"]
        assert bool(row["不予共享依据"]) == (row["共享属性"] == "不予共享"), row["资源名称"]
        if row["共享条件"]:
            assert re.fullmatch(r"共享范围：.+；使用用途：.+", row["共享条件"])
        if row["不予共享依据"]:
            assert re.fullmatch(r"理由：.+依据：《中华人民共和国.+》第.+条.*。", row["不予共享依据"])
            assert row["开放属性"] == "不予开放"
        assert row["发布日期"] <= row["更新日期"]


def test_entries_held_here_are_the_tables_of_the_county_with_their_items_and_number_of_rows() -> None:
    here = {row["目录代码"]: row for row in read_rows("county_catalog") if row["共享渠道"] == HELD_HERE}
    assert set(here) == {held["code"] for held in TABLES.values()}
    for held in TABLES.values():
        row = here[held["code"]]
        columns = packaged_mappings()[held["mapping"]].columns
        assert row["提供单位"] == AGENCIES[held["provider"]]["name"]["zh"]
        assert row["信息项"] == "、".join(column.title.zh for column in columns if column.field != "data_note")
        assert row["数据量"] == str(len(read_rows(held["mapping"])))


def cited_articles() -> list[tuple[str, str]]:
    """Every statute and article that the catalogue and the penalties cite; invented bases are left out."""
    texts = [row["不予共享依据"] + row["共享条件"] for row in read_rows("county_catalog")]
    texts += [row["处罚依据"] for row in read_rows("penalties")]
    found = {
        pair for text in texts for pair in re.findall(r"《中华人民共和国(.+?)》(第[一二三四五六七八九十百]+条)", text)
    }
    return sorted(found)


def test_every_cited_article_is_in_the_text_of_its_statute() -> None:
    assert len(cited_articles()) >= 8
    # The texts of the statutes lie beside the repository where it is built, not in it.
    for statute, article in cited_articles() if LAWS.is_dir() else []:
        files = [path for path in LAWS.glob("*.md") if path.name.startswith(f"{statute}(")]
        assert files, statute
        assert re.search(rf"^{article}\s", files[0].read_text(encoding="utf-8"), re.MULTILINE), (statute, article)
