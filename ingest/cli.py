"""``liandong ingest``: files of agencies into the catalog, from the command line."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, cast

import click
from click_default_group import DefaultGroup

from ingest.batches import Batch, ledger_recorder
from ingest.errors import IngestError
from ingest.mapping import packaged_mappings
from ingest.quality import Report, render, report_file
from ingest.readers import SourceFile
from ingest.service import Options, Target, load_path, reconcile_all
from ledger.cli import bilingual_errors, instance_option
from ledger.instance import Instance


@click.group(cls=cast("type[click.Group]", DefaultGroup), default="load")
def ingest() -> None:
    """将各机关的文件导入目录。 Load agencies' files into the catalog.

    `liandong ingest FILE…` is short for `liandong ingest load FILE…`.
    """


@ingest.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@instance_option
@click.option(
    "--mapping", "-m", help="Name of a mapping, or path of a .yml; else detected. 映射名称或路径，缺省时自动识别。"
)
@click.option("--set-aside", is_flag=True, help="Take the good rows, report the rest. 收入合格的行，其余搁置并报告。")
@click.option(
    "--allow-removals",
    is_flag=True,
    help="Take a snapshot that removes most of the rows stored. 允许快照删除大部分已存的行。",
)
@click.option("--dry-run", is_flag=True, help="Check and count, write nothing. 只检查和计数，不写入。")
@click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every problem to this file (.csv or .json). 将全部问题写入该文件。",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON. 以 JSON 输出报告。")
@click.option("--delimiter", help="Delimiter of a CSV file; else found from its header. CSV 分隔符。")
@click.option("--encoding", help="utf-8 or gb18030; else detected. 文件编码，缺省时自动识别。")
@bilingual_errors
def load(
    files: tuple[Path, ...],
    *,
    instance: Path,
    mapping: str | None,
    set_aside: bool,
    allow_removals: bool,
    dry_run: bool,
    report_path: Path | None,
    as_json: bool,
    delimiter: str | None,
    encoding: str | None,
) -> None:
    """每个文件作为一批导入。 Load each FILE as one batch: one transaction, one ledger entry.

    A file with problem rows is refused whole (exit code 1) unless --set-aside is given. The same file again changes
    nothing. 有问题行的文件整批不收（退出码 1），除非加 --set-aside；重复导入同一文件不产生任何变化。
    """
    options = Options(
        mapping,
        delimiter,
        encoding,
        set_aside,
        dry_run,
        keep_all_problems=report_path is not None,
        allow_removals=allow_removals,
    )
    reports: list[Report] = []
    with ExitStack() as stack:
        target = _target(Instance.open(instance), dry_run, stack)
        if not dry_run:
            _say_reconciled(reconcile_all(target))
        try:
            for file in files:
                reports.append(load_path(file, target, options, _progress))
                if not as_json:
                    click.echo(render(reports[-1]))
        finally:
            # A later file's error must not take earlier files' reports along.
            if as_json:
                click.echo(json.dumps([report.to_json() for report in reports], ensure_ascii=False, indent=1))
            if report_path is not None and reports:
                _write_report(report_path, reports)
    if any(report.refused for report in reports):
        sys.exit(1)


@ingest.command()
def mappings() -> None:
    """列出可用的映射。 List the known mappings."""
    for mapping in packaged_mappings().values():
        click.echo(
            f"{mapping.name} → {mapping.database}.{mapping.table}：{mapping.title.zh} {mapping.title.en} "
            f"({mapping.mode}, {len(mapping.columns)} 列 columns)"
        )


def _target(instance: Instance, dry_run: bool, stack: ExitStack) -> Target:
    record = _never if dry_run else ledger_recorder(stack.enter_context(instance.ledger()))
    return Target(instance.database_path, instance.row_secret(), record, lambda: datetime.now(UTC), os.urandom)


def _never(batch: Batch) -> NoReturn:
    raise RuntimeError(f"batch {batch.batch} of a dry run must not be recorded")


def _say_reconciled(batches: list[Batch]) -> None:
    for batch in batches:
        click.echo(
            f"补记批次 recorded a pending batch: {batch.batch} ({batch.database_name}.{batch.table_name})", err=True
        )


@contextmanager
def _progress(source: SourceFile) -> Iterator[Callable[[int], None]]:
    started_s = time.monotonic()
    done = 0

    def rate(_: object) -> str:
        elapsed_s = time.monotonic() - started_s
        return f"{done / elapsed_s:,.0f} 行/秒 rows/s" if elapsed_s > 0 else ""

    with click.progressbar(
        length=source.scan.rows, label=source.name, file=sys.stderr, show_pos=True, item_show_func=rate
    ) as bar:

        def update(rows: int) -> None:
            nonlocal done
            done += rows
            bar.update(rows, current_item=None)

        yield update


def _write_report(path: Path, reports: list[Report]) -> None:
    try:
        path.write_bytes(report_file(reports, path.suffix.lower()))
    except OSError as error:
        raise IngestError(
            f"cannot write the report {path}: {error.strerror}; the load itself is as reported above",
            f"无法写入报告 {path}：{error.strerror}；导入结果以上文为准",
        ) from error
