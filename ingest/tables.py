"""The tables of the six category databases: what each is called and what its columns may hold.

The tables of ``directory`` are declared here (after 政务信息资源目录编制指南 and 政务数据共享条例 art. 13); every other
table is what the mappings that fill it declare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ingest.codes import packaged_codes
from ingest.errors import MappingError
from ingest.label import Label
from ingest.mapping import Column, SourceMapping
from ingest.normalise import RefusedValue, normalise_value
from ingest.problems import RULES


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """One of the six databases and the category it holds."""

    name: str
    category: str
    title: Label
    description: Label


@dataclass(frozen=True, slots=True)
class Field:
    """One declared column of a table. ``codes`` names its code list."""

    name: str
    type: str
    title: Label
    description: Label | None = None
    required: bool = False
    role: str | None = None
    codes: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its fields in order, and whether batches fill it (then it has ``_batch``)."""

    database: str
    name: str
    title: Label
    description: Label | None
    fields: tuple[Field, ...]
    batches: bool = True

    @property
    def field_names(self) -> tuple[str, ...]:
        """The declared columns, without ``id`` and ``_batch``."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field | None:
        """The declared column of that name, if there is one."""
        return next((field for field in self.fields if field.name == name), None)


#: Source: 源政办发〔2021〕19号 二(四), the six kinds of information that agencies share.
DATABASE_INFO: tuple[DatabaseInfo, ...] = (
    DatabaseInfo(
        "directory",
        "1",
        Label("执法信息资源目录", "Directory of enforcement information"),
        Label(
            "各行政执法机关有哪些执法信息、由谁提供、能否共享。",
            "What enforcement information exists, who provides it, and whether it is shared.",
        ),
    ),
    DatabaseInfo(
        "work",
        "2",
        Label("执法工作数据", "Enforcement work data"),
        Label(
            "行政处罚、行政检查、行政许可等执法工作的结果。", "Results of penalties, inspections, permits and the like."
        ),
    ),
    DatabaseInfo(
        "dynamics",
        "3",
        Label("执法动态信息", "Enforcement dynamics"),
        Label("联合执法、专项整治等执法活动的动态。", "Joint enforcement, campaigns and other activities."),
    ),
    DatabaseInfo(
        "monitoring",
        "4",
        Label("执法监控信息", "Enforcement monitoring"),
        Label("监控点位、设备及其读数。", "Monitoring points, devices and what they read."),
    ),
    DatabaseInfo(
        "alerts",
        "5",
        Label("执法预警信息", "Enforcement alerts"),
        Label("对风险和违法线索的预警及其处置。", "Alerts about risks and possible violations, and what was done."),
    ),
    DatabaseInfo(
        "documents",
        "6",
        Label("执法文书档案", "Enforcement documents"),
        Label("执法文书及其归档情况。", "Written instruments of enforcement and their filing."),
    ),
)


def _field(name: str, kind: str, zh: str, en: str, **more: Any) -> Field:
    return Field(name, kind, Label(zh, en), **more)


_RESOURCES = Table(
    "directory",
    "resources",
    Label("信息资源", "Resources"),
    Label("每行一项信息资源的目录信息。", "One information resource a row: its catalogue entry."),
    (
        _field("code", "text", "目录代码", "Code"),
        _field("name", "text", "资源名称", "Name", required=True),
        _field(
            "provider",
            "text",
            "提供单位",
            "Provider",
            required=True,
            description=Label("按来源的写法。", "As the source writes it."),
        ),
        _field(
            "category",
            "code",
            "信息类别",
            "Category",
            codes="category",
            description=Label(
                "六类执法信息之一（1–6），9 为其他；空为尚未归类。",
                "One of the six (1–6), 9 other; empty: not yet classed.",
            ),
        ),
        _field("summary", "text", "摘要", "Summary", role="free_text"),
        _field(
            "items_text", "text", "信息项", "Items", description=Label("按来源的写法。", "As the source writes them.")
        ),
        _field("format", "list", "资源格式", "Formats"),
        _field("update_cycle", "code", "更新周期", "Update cycle", codes="update_cycle"),
        _field(
            "sharing_class",
            "code",
            "共享属性",
            "Sharing class",
            codes="sharing_class",
            required=True,
            description=Label(
                "部门之间能否共享；来源未说明的为“未定”，从不由开放属性推断。",
                "Whether agencies may have it; 未定 where the source does not say, never inferred from openness.",
            ),
        ),
        _field("sharing_condition", "text", "共享条件", "Sharing condition"),
        _field("statutory_basis", "text", "不予共享依据", "Statutory basis"),
        _field(
            "openness",
            "code",
            "开放属性",
            "Openness to the public",
            codes="openness",
            description=Label(
                "向社会公众开放的属性，与部门间共享是两回事。",
                "To the public; a different matter from sharing between agencies.",
            ),
        ),
        _field("theme", "text", "主题", "Theme"),
        _field("domain", "text", "领域", "Domain"),
        _field("industry", "text", "行业", "Industry"),
        _field("keywords", "text", "关键字", "Keywords"),
        _field(
            "row_count",
            "integer",
            "数据量",
            "Rows",
            description=Label("来源所称的行数。", "As many rows as the source says."),
        ),
        _field("published_on", "date", "发布日期", "Published on"),
        _field("updated_on", "date", "更新日期", "Updated on"),
        _field("channel", "code", "共享渠道", "Channel", codes="channel"),
        _field("source", "text", "来源", "Source"),
        _field("source_url", "url", "来源网址", "Address at the source"),
    ),
)

_AGENCIES = Table(
    "directory",
    "agencies",
    Label("机关", "Agencies"),
    Label("机关登记簿。", "The register of agencies."),
    (
        _field("id_code", "text", "标识", "Identifier", required=True),
        _field("name", "text", "名称", "Name", required=True),
        _field("short_name", "text", "简称", "Short name"),
        _field(
            "type",
            "text",
            "类型",
            "Type",
            description=Label("镇、街道、开发区、部门、垂直。", "Town, street, zone, department, vertically led."),
        ),
        _field("valid_from", "date", "自", "From"),
        _field("valid_to", "date", "至", "To"),
    ),
    batches=False,
)

_CATEGORIES = Table(
    "directory",
    "categories",
    Label("信息类别", "Categories"),
    Label("六类执法信息和其他。", "The six categories of enforcement information, and other."),
    (
        _field("code", "text", "代码", "Code", required=True),
        _field("database", "text", "数据库", "Database"),
        _field("zh", "text", "中文名称", "Name in Chinese", required=True),
        _field("en", "text", "英文名称", "Name in English", required=True),
    ),
    batches=False,
)

_ITEMS = Table(
    "directory",
    "items",
    Label("数据字典", "Data dictionary"),
    Label("每行一个表的一个字段。", "One field of one table a row."),
    (
        _field("database", "text", "数据库", "Database", required=True),
        _field("resource_table", "text", "表", "Table", required=True),
        _field("position", "integer", "序号", "Position", required=True),
        _field("field", "text", "字段", "Field", required=True),
        _field("title_zh", "text", "中文名称", "Name in Chinese", required=True),
        _field("title_en", "text", "英文名称", "Name in English", required=True),
        _field("type", "text", "类型", "Type", required=True),
        _field("role", "text", "角色", "Role"),
        _field("required", "boolean", "必填", "Required", required=True),
        _field("codes", "text", "代码表", "Code list"),
        _field("description_zh", "text", "中文说明", "Meaning in Chinese"),
        _field("description_en", "text", "英文说明", "Meaning in English"),
    ),
    batches=False,
)

#: The tables whose fields are declared here and not by mappings.
FIXED_TABLES: tuple[Table, ...] = (_RESOURCES, _AGENCIES, _CATEGORIES, _ITEMS)


def tables_of(mappings: Iterable[SourceMapping]) -> dict[tuple[str, str], Table]:
    """Return every table by (database, name): the fixed ones, then what ``mappings`` declare.

    Several mappings may fill one table; its fields are then all of theirs.

    Raises:
        MappingError: a mapping gives a field another type or code list than the table has, fills a field that a
            fixed table lacks, or sets a constant that the table does not declare.
    """
    tables = {(table.database, table.name): table for table in FIXED_TABLES}
    fixed = dict(tables)
    every = sorted(mappings, key=lambda mapping: (mapping.name != mapping.table, mapping.name))
    for mapping in every:
        place = (mapping.database, mapping.table)
        known = tables.get(place)
        if known is not None and not known.batches:
            raise _misfit(
                mapping, f"{place[0]}.{place[1]} is not filled by mappings", f"{place[0]}.{place[1]} 不由映射填写"
            )
        if place in fixed:
            _check_against(mapping, fixed[place])
        else:
            tables[place] = _extended(mapping, known)
    for mapping in every:
        for name, value in mapping.constants:
            _check_constant(mapping, tables[mapping.database, mapping.table], name, value)
    return tables


def fixed_table(name: str) -> Table:
    """The table of that name among :data:`FIXED_TABLES`; it must be one of them."""
    return next(table for table in FIXED_TABLES if table.name == name)


def _extended(mapping: SourceMapping, known: Table | None) -> Table:
    if known is None:
        fields = tuple(_as_field(column) for column in mapping.columns)
        return Table(mapping.database, mapping.table, mapping.title, mapping.description, fields)
    _check_types(mapping, known)
    new = tuple(_as_field(column) for column in mapping.columns if known.field(column.field) is None)
    return Table(known.database, known.name, known.title, known.description, known.fields + new)


def _as_field(column: Column) -> Field:
    return Field(
        column.field,
        column.type,
        column.title,
        column.description,
        column.required,
        column.role,
        column.codes.name if column.codes else None,
    )


def _check_against(mapping: SourceMapping, table: Table) -> None:
    _check_types(mapping, table)
    for column in mapping.columns:
        if table.field(column.field) is None:
            raise _misfit(
                mapping,
                f"{table.database}.{table.name} has no field {column.field!r}; it has {', '.join(table.field_names)}",
                f"{table.database}.{table.name} 没有字段“{column.field}”；现有 {'、'.join(table.field_names)}",
            )


def _check_types(mapping: SourceMapping, table: Table) -> None:
    for column in mapping.columns:
        field = table.field(column.field)
        codes = column.codes.name if column.codes else None
        if field is not None and (field.type, field.codes) != (column.type, codes):
            raise _misfit(
                mapping,
                f"{column.field!r} is {column.type}, in {table.database}.{table.name} it is {field.type} "
                f"(code list {field.codes or 'none'})",
                f"“{column.field}”为 {column.type}，而在 {table.database}.{table.name} 中为 {field.type}"
                f"（代码表：{field.codes or '无'}）",
            )


def _check_constant(mapping: SourceMapping, table: Table, name: str, value: str) -> None:
    field = table.field(name)
    if field is None:
        raise _misfit(
            mapping,
            f"the constant {name!r} is not a field of {table.database}.{table.name}",
            f"常量“{name}”不是 {table.database}.{table.name} 的字段",
        )
    codes = packaged_codes()[field.codes] if field.codes else None
    try:
        stored = str(normalise_value(value, Column(name, name, field.type, field.title, codes=codes)))
    except RefusedValue as refused:
        rule = RULES[refused.rule]
        raise _misfit(
            mapping,
            f"the constant {name!r} is {value!r}: {rule.en.format_map(refused.details)}",
            f"常量“{name}”为“{value}”：{rule.zh.format_map(refused.details)}",
        ) from refused
    if stored != value:
        raise _misfit(
            mapping,
            f"the constant {name!r} is {value!r}; write it as it is stored: {stored!r}",
            f"常量“{name}”为“{value}”；请写成存储的形式“{stored}”",
        )


def _misfit(mapping: SourceMapping, en: str, zh: str) -> MappingError:
    return MappingError(f"mapping {mapping.name}: {en}", f"映射 {mapping.name}：{zh}")
