"""``liandong audit``: what supervising offices look at, from the command line, on a machine that has the instance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from catalog.anomalies.repeats import repeats
from catalog.anomalies.rules import Flag
from catalog.anomalies.shelf import FILE, Filter, Review, Shelf
from catalog.anomalies.thresholds import Thresholds, of_instance
from catalog.anomalies.words import TITLES, sentence
from ledger import Instance, Ledger
from ledger.cli_common import bilingual_errors, instance_option
from ledger.fields import DATE

_ALL = 2**31
_VERDICTS = {"normal": "正常 normal", "incident": "事件 incident"}


@click.group()
def audit() -> None:
    """监督核查。 What supervising offices look at."""


def _day(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not DATE.accepts(value):
        raise click.BadParameter("日期应形如 2026-11-25 want a day like 2026-11-25")
    return value


@audit.command()
@click.option(
    "--since", default="", callback=_day, metavar="DAY", help="Only of this day (YYYY-MM-DD) and later. 自该日起。"
)
@click.option("--open", "only_open", is_flag=True, help="Only what nobody has reviewed. 只列未核查的。")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array. 输出 JSON。")
@instance_option
@bilingual_errors
def anomalies(instance: Path, *, since: str, only_open: bool, as_json: bool) -> None:
    """列出异常提示及核查结论。 List what the rules find odd, newest first, with the verdicts; no officer is named."""
    opened = Instance.open(instance)
    thresholds = of_instance(opened.path)
    with opened.ledger() as ledger:
        shelf = Shelf(opened.path / FILE, thresholds)
        try:
            shelf.follow(ledger)
            found = _found(ledger, shelf, Filter(since=since, state="open" if only_open else ""))
        finally:
            shelf.close()
    if as_json:
        click.echo(json.dumps([_as_json(*each, thresholds) for each in found], ensure_ascii=False, indent=1))
        return
    for flag, review in found:
        click.echo(_as_text(flag, review, thresholds))
    click.echo(f"共 {len(found)} 项 {len(found)} flags")


def _found(ledger: Ledger, shelf: Shelf, wanted: Filter) -> list[tuple[Flag, Review | None]]:
    found = shelf.flags(wanted, _ALL)
    for flag in repeats(ledger):
        review = shelf.review_of_repeat(flag)
        if flag.period >= wanted.since and (review is None or wanted.state != "open"):
            found.append((flag, review))
    return sorted(found, key=lambda each: (each[0].last, each[0].id), reverse=True)


def _as_json(flag: Flag, review: Review | None, thresholds: Thresholds) -> dict[str, Any]:
    en, zh = sentence(flag, thresholds)
    return {
        "anomaly": flag.id,
        "rule": flag.rule,
        "agency": flag.agency,
        "resource": flag.resource,
        "code": flag.code,
        "period": flag.period,
        "numbers": dict(flag.numbers),
        "en": en,
        "zh": zh,
        "entries": list(flag.entries),
        "count": flag.count,
        "verdict": review.verdict if review is not None else None,
        "reviewed_by": review.by if review is not None else None,
        "review_entry": review.seq if review is not None else None,
    }


def _as_text(flag: Flag, review: Review | None, thresholds: Thresholds) -> str:
    title_en, title_zh = TITLES[flag.rule]
    en, zh = sentence(flag, thresholds)
    about = "  ".join(part for part in (flag.period.replace("t", " "), flag.agency, flag.resource, flag.code) if part)
    state = f"{_VERDICTS[review.verdict]} ({review.by}, {review.seq})" if review else "未核查 to be reviewed"
    named = " ".join(map(str, flag.entries[:12])) + (" …" if flag.count > 12 else "")
    return f"{title_zh} {title_en}  {about}\n  {zh}\n  {en}\n  条目 entries: {named}\n  {state}\n"
