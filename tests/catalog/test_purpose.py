"""Why data is asked for: a code, its reference, and nothing that only fills a field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.purpose import CODES, Purpose, PurposeError, check_party, is_filler, parse

AGENCIES = ("zhzf", "scjg", "gaj")
CASE = {"code": "case", "reference": "示市监案〔2026〕17号"}


def test_a_purpose_is_a_code_and_its_reference() -> None:
    assert parse(CASE, AGENCIES) == Purpose("case", "示市监案〔2026〕17号")
    assert parse(CASE, AGENCIES).particulars() == {"reference": "示市监案〔2026〕17号"}


def test_joint_action_names_the_lead_first() -> None:
    joint = {"code": "joint", "reference": "示联〔2026〕3号", "participants": ["scjg", "zhzf"]}
    assert parse(joint, AGENCIES).particulars()["participants"] == ["scjg", "zhzf"]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "code"),
        ({"code": "curiosity", "reference": "A-1"}, "code"),
        ({"code": "case"}, "reference"),
        ({**CASE, "reference": "   "}, "reference"),
        ({**CASE, "reference": "工作需要"}, "reference"),
        ({**CASE, "reference": "案卷"}, "reference"),  # no number in it
        ({**CASE, "reference": "1111111"}, "reference"),
        ({**CASE, "reference": "123456"}, "reference"),
        ({**CASE, "reference": 17}, "reference"),
        ({**CASE, "reference": "工作需要1"}, "reference"),
        ({**CASE, "reference": "测试二"}, "reference"),
        ({**CASE, "reference": "test-17"}, "reference"),
        ({**CASE, "words": "业务需要3"}, "words"),
        ({**CASE, "reference": "A-1\nB-2"}, "reference"),
        ({**CASE, "reference": "1" * 30 + "2" * 31}, "reference"),
        ({**CASE, "words": "因 工 作 需 要。"}, "words"),
        ({"code": "other", "reference": "函〔2026〕5号"}, "words"),
        ({"code": "joint", "reference": "示联〔2026〕3号"}, "participants"),
        ({"code": "joint", "reference": "示联〔2026〕3号", "participants": ["scjg"]}, "participants"),
        ({"code": "joint", "reference": "示联〔2026〕3号", "participants": ["scjg", "scjg"]}, "participants"),
        ({**CASE, "participants": ["nobody"]}, "participants"),
        ({"code": "joint", "reference": "示联〔2026〕3号", "participants": "scjg"}, "participants"),
    ],
)
def test_what_says_nothing_is_refused_with_the_cure(value: dict[str, Any], field: str) -> None:
    with pytest.raises(PurposeError) as caught:
        parse(value, AGENCIES)
    assert caught.value.field == field and caught.value.status == 422
    assert caught.value.en and caught.value.zh


def test_the_agency_that_asks_takes_part_in_what_it_asks_for() -> None:
    alone, joint = Purpose("case", "A-1"), Purpose("joint", "示联〔2026〕3号", "", ("scjg", "zhzf"))
    assert check_party(alone, "yjgl") is alone and check_party(joint, "zhzf") is joint
    with pytest.raises(PurposeError, match="not among") as caught:
        check_party(joint, "yjgl")
    assert caught.value.field == "participants"


@given(st.text(max_size=20))
def test_spaces_and_punctuation_do_not_make_a_filler_mean_something(text: str) -> None:
    assert is_filler(text) == is_filler(f" ，{text}。 ")


PARTS = st.sampled_from(["code", "reference", "words", "participants"])
PLAIN = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(sorted(CODES))


@given(st.dictionaries(PARTS, st.recursive(PLAIN, st.lists)))
def test_nothing_makes_it_raise_anything_but_its_own_error(value: dict[str, Any]) -> None:
    try:
        parse(value, AGENCIES)
    except PurposeError as error:
        assert error.field in ("code", "reference", "words", "participants")
