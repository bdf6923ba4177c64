"""What the tests of the rules share: a local standard of three working days, and an invented calendar of 2027."""

from __future__ import annotations

from functools import cache

from ledger.rules import Calendar, Clause, Rulebook, packaged

LOCAL_THREE = Clause.read(
    {
        "id": "local.query",
        "number": "示法发〔2026〕1号",
        "name_zh": "示范县执法数据查询服务标准",
        "name_en": "Service standard of Shifan County (invented)",
        "level": "service_standard",
        "kind": "local_standard",
        "article_zh": "第一条",
        "article_en": "article 1",
        "quote": "收到查询后三个工作日内答复。",
        "gist_en": "Queries are answered within three working days of receipt.",
        "valid_from": "2026-11-20",
        "source": "测试用，虚构 (invented for tests)",
        "clock": {"act": "query", "start": "received", "stop": "supplied", "working_days": 3},
    }
)


@cache
def with_local_standard(valid_from: str = "2021-01-01") -> Rulebook:
    """The packaged rules and a local standard of three working days, so that there is a clock on every day."""
    book = packaged()
    clause = Clause.read(LOCAL_THREE.to_value() | {"valid_from": valid_from})
    return Rulebook(book.register.adopt(clause), book.calendars)


def invented_2027() -> Calendar:
    """No notice of 2027 was issued when this was written; this one is made up for tests."""
    return Calendar.read(
        {
            "format": 1,
            "year": 2027,
            "notice": "示例〔2026〕1号",
            "issued": "2026-12-01",
            "source": "虚构 (invented)",
            "holidays": [{"name_zh": "元旦", "name_en": "New Year's Day", "first": "2027-01-01", "last": "2027-01-03"}],
            "make_up": [],
        }
    )
