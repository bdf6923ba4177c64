"""The header field in which programs state the purpose of a GET."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import RequestError
from catalog.purpose import CODES, Purpose, PurposeError
from catalog.purpose_header import EXAMPLE, check_signed, how_to, read, write

AGENCIES = ("zhzf", "scjg", "gaj")


def test_the_example_is_read_as_it_stands() -> None:
    assert read(EXAMPLE.partition(": ")[2], AGENCIES) == Purpose("case", "2026-17")


def test_chinese_is_a_display_string() -> None:
    assert read('case; reference=%"%e7%a4%ba%e3%80%942026%e3%80%9517"', AGENCIES) == Purpose("case", "示〔2026〕17")


def test_participants_are_named_by_their_ids_the_lead_first() -> None:
    value = 'joint; reference="2026-3"; participants="scjg zhzf"'
    assert read(value, AGENCIES).participants == ("scjg", "zhzf")


@given(
    st.sampled_from([code.code for code in CODES.values() if not code.shared]),
    st.text(st.characters(min_codepoint=0x20, blacklist_categories=("Cs", "Cc")), max_size=20).map(str.strip),
)
def test_what_is_written_is_read_back(code: str, words: str) -> None:
    try:
        stated = Purpose(code, "示2026-17", words)
        text = write(stated)
        text.encode("ascii")
        assert read(text, AGENCIES) == stated
    except PurposeError as error:  # words that only fill their field
        assert error.field == "words"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "header"),
        ('"case"; reference="2026-17"', "header"),
        ('case, reference="2026-17"', "header"),
        ("case; reference=2026", "header"),
        ("case; reference=示2026", "header"),
        ('case; reference="2026-17"; officer="x"', "header"),
        ('case; reference=%"%E7%A4%BA"', "header"),  # capitals: not the one spelling of RFC 9651
        ("case", "reference"),
        ('curious; reference="2026-17"', "code"),
        ('joint; reference="2026-17"; participants="scjg"', "participants"),
        ('case; reference="1111"', "reference"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(text: str, field: str) -> None:
    with pytest.raises(PurposeError) as caught:
        read(text.encode().decode("latin-1"), AGENCIES)
    assert (caught.value.status, caught.value.field) == (422, field)


def test_a_signature_has_to_cover_the_purpose() -> None:
    base = '"@method": GET\n"liandong-purpose": case; reference="2026-17"\n"@signature-params": ()'
    check_signed(base)
    for other in ("", '"@method": GET', '"@target-uri": http://x/"liandong-purpose": '):
        with pytest.raises(RequestError) as caught:
            check_signed(other)
        assert caught.value.status == 422


def test_the_cure_lists_every_code() -> None:
    assert set(how_to()["codes"]) == set(CODES)
