"""Folding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.text import fold, fold_lines, invalid_character, narrow


def test_white_space_of_every_kind_becomes_one_space() -> None:
    assert fold(" 名\u3000\u3000称\r\n\t包含  序列 \ufeff") == "名 称 包含 序列"


def test_invisible_characters_go_and_words_join() -> None:
    assert fold("名单\ufeff接口\u200b服务") == "名单接口服务"


def test_free_text_keeps_its_line_breaks_and_loses_blank_lines() -> None:
    assert fold_lines("第一行\t尾 \r\n\r\n  第二行\r第三行\n") == "第一行 尾\n第二行\n第三行"


def test_full_width_digits_and_signs_become_ascii() -> None:
    assert narrow("２０２３／５／４　１２：３０") == "2023/5/4 12:30"


def test_chinese_punctuation_inside_names_is_left_alone_by_folding() -> None:
    assert fold("（试行）〔2021〕１９号，") == "（试行）〔2021〕１９号，"


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold_lines(fold_lines(text)) == fold_lines(text)


def test_controls_surrogates_and_direction_overrides_are_found() -> None:
    for char in "\x00\x07\x1b\x7f\x9f\ud800\ufffd\u202e\u2066":
        assert invalid_character(f"前{char}后") == char
    assert invalid_character("普通文本 with\nlines\t〔2021〕①") is None
