"""Write the larger CSV files of the demonstration county 示范县 into catalog/demo, always the same bytes.

Everything is invented and says so: each row carries 数据说明 = 演示数据, parties are called 示例… or 演示当事人…,
document numbers begin with 示演, and every identifier fails its own check digit (demo_world.py), so that no row can
be taken for, or matched with, a real party. ``county_catalog.csv`` is kept by hand.

    python tools/make_demo_data.py [--out FOLDER] [--check]

``--check`` writes nothing and ends with 1 when a file in the folder is not what this program makes.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from demo_cases import make_documents, make_penalties
from demo_world import (
    BJD,
    GAJ,
    JIAZHEN,
    JKQ,
    JTYS,
    LAST_DAY,
    NOTE,
    SCJG,
    SEED,
    STHJ,
    TOWNS,
    YJGL,
    ZHZF,
    ZONE,
    Dice,
    Party,
    Row,
    authority_code,
    clock,
    listed,
    make_parties,
    of_kind,
    spread_days,
    stamp,
    working_day,
)

PERMITS = (
    # item, certificate, years valid, content, vehicles
    ("道路货物运输经营许可", "道路运输经营许可证", 4, "准予从事道路普通货物运输。", True),
    ("道路旅客运输经营许可", "道路运输经营许可证", 4, "准予从事县内道路旅客运输。", True),
    ("超限运输车辆行驶公路许可", "超限运输车辆通行证", 0, "准予按核定路线和时间行驶公路。", True),
    ("涉路施工活动许可", "", 0, "准予按核定方案在公路用地范围内施工。", False),
)


def make_permits(parties: Sequence[Party]) -> list[Row]:
    """Permits of the transport bureau, numbered in order of date."""
    dice = Dice(f"{SEED}/permits")
    rows: list[Row] = []
    for number, day in enumerate(spread_days(dice, 120), start=1):
        item, certificate, years, content, vehicles = dice.pick(PERMITS)
        party = dice.pick(of_kind(parties, "materials", "chemical") if not vehicles else of_kind(parties, "transport"))
        start = day + timedelta(days=1)
        end = start + timedelta(days=1460 if years else dice.between(20, 90))
        cancelled = bool(years) and dice.chance(6)
        rows.append(
            NOTE
            | {
                "许可决定书文号": f"示演交许字〔2026〕{number}号",
                "许可决定书名称": f"准予{item}决定书",
                "相对人名称": party.name,
                "相对人类别": party.type,
                "统一社会信用代码": party.code,
                "法定代表人": party.head,
                "所属乡镇": party.town,
                "许可类别": "普通",
                "许可事项": item,
                "许可证书名称": certificate,
                "许可证书编号": f"示演交证2026{number:04d}" if certificate else "",
                "许可内容": content + "（演示内容）",
                "核定车辆数": str(dice.between(1, 30) if years else 1) if vehicles else "",
                "许可决定日期": day.isoformat(),
                "有效期自": start.isoformat(),
                "有效期至": end.isoformat(),
                "当前状态": "注销" if cancelled else "有效",
                "许可机关": JTYS,
                "许可机关代码": authority_code(JTYS),
                "备注": "因经营者申请注销" if cancelled else "",
            }
        )
    return rows


SECTORS = {
    "chemical": "危险化学品",
    "machinery": "机械制造",
    "materials": "建材",
    "fuel": "加油站",
    "transport": "交通运输",
}
CHECKS = (
    "安全生产责任制",
    "隐患排查治理",
    "应急预案与演练",
    "特种作业持证",
    "消防设施",
    "危险物品储存",
    "有限空间作业",
)
PROBLEMS = (
    "灭火器过期未更换",
    "安全出口堆放杂物",
    "隐患台账记录不全",
    "应急演练未留记录",
    "警示标识缺失",
    "储存区未分类存放",
)


def make_inspections(parties: Sequence[Party]) -> list[Row]:
    """Work safety inspections, with orders to put right and re-inspections."""
    dice = Dice(f"{SEED}/inspections")
    rows: list[Row] = []
    for number, day in enumerate(spread_days(dice, 200), start=1):
        party = dice.pick(of_kind(parties, *SECTORS))
        found = dice.some(PROBLEMS, dice.pick((0, 0, 1, 1, 2, 3)))
        result = dice.pick(("当场改正", "责令限期改正", "责令限期改正", "移交立案")) if found else "未发现问题"
        ordered = result == "责令限期改正"
        rectify_by = day + timedelta(days=dice.between(7, 15))
        recheck = working_day(rectify_by)
        rechecked = ordered and recheck <= LAST_DAY and dice.chance(90)
        outcome = dice.pick(("已整改", "已整改", "已整改", "部分整改", "未整改"))
        rows.append(
            NOTE
            | {
                "检查编号": f"示演应急检〔2026〕{number}号",
                "检查任务号": f"示演检查任务2026-{day.month:02d}-{dice.between(1, 4):02d}",
                "检查类型": dice.pick(("日常检查", "日常检查", "专项检查", "双随机抽查")),
                "检查对象": party.name,
                "统一社会信用代码": party.code,
                "所属乡镇": party.town,
                "行业领域": SECTORS[party.kind],
                "检查日期": day.isoformat(),
                "执法人员证号": listed([f"示演证{index:04d}" for index in dice.some(range(1, 13), 2)]),
                "检查事项": listed(dice.some(CHECKS, dice.between(1, 3))),
                "发现问题数": str(len(found)),
                "问题描述": "；".join(found) + "。" if found else "",
                "检查结果": result,
                "整改期限": rectify_by.isoformat() if ordered else "",
                "复查日期": recheck.isoformat() if rechecked else "",
                "复查结论": outcome if rechecked else "",
                "是否移送": "是" if found and dice.chance(8) else "否",
                "检查机关": YJGL,
            }
        )
    return rows


# field of enforcement -> agencies that may take part beside the integrated bureau; the local one joins at its place
FIELDS = {
    "市容秩序": (SCJG, GAJ),
    "扬尘治理": (STHJ, JTYS),
    "货车超限超载": (JTYS, GAJ),
    "餐饮油烟": (SCJG, STHJ),
    "违法建设": (YJGL, GAJ),
    "危险化学品": (YJGL, GAJ),
}
LOCAL = {"甲镇": JIAZHEN, "丙街道": BJD, ZONE: JKQ}
FORMS = (("联合执法", 2), ("联合执法", 2), ("协同执法", 1), ("专项整治", 1), ("日常巡查", 0))


def make_activities(parties: Sequence[Party]) -> list[Row]:
    """Enforcement activities; a joint one has at least two agencies, a patrol one alone."""
    del parties  # activities name places and counts, never a party
    dice = Dice(f"{SEED}/activities")
    rows: list[Row] = []
    for number, day in enumerate(spread_days(dice, 80), start=1):
        field = dice.pick(tuple(FIELDS))
        form, least = dice.pick(FORMS)
        town = dice.pick((*TOWNS, ZONE))
        others = dice.some(FIELDS[field], least) if least else []
        if others and town in LOCAL:
            others.append(LOCAL[town])
        lead = others[0] if others and dice.chance(20) else ZHZF
        start = clock(dice, day, 8, 15)
        problems = dice.between(0, 9)
        rows.append(
            NOTE
            | {
                "活动编号": f"示演动态2026-{number:04d}",
                "活动名称": f"{town}{field}{form}",
                "执法形式": form,
                "方案文号": f"示演联执〔2026〕{number}号" if form in ("联合执法", "协同执法") else "",
                "牵头单位": lead,
                "参与单位": listed([name for name in (ZHZF, *others) if name != lead]),
                "所属乡镇": town,
                "执法领域": field,
                "开始时间": stamp(start),
                "结束时间": stamp(start + timedelta(minutes=30 * dice.between(2, 8))),
                "出动人次": str(dice.between(2, 6) * (1 + len(others))),
                "检查对象数": str(dice.between(3, 40)),
                "发现问题数": str(problems),
                "立案数": str(min(problems, dice.between(0, 3))),
                "活动小结": f"对{town}开展{field}{form}，发现问题{problems}个，已分别交相关单位处理。（演示内容）",
                "报送单位": ZHZF,
            }
        )
    return rows


# kind -> (factors, main factor, limit, unit); limits are for the demonstration, not those of any standard
MONITORS = {
    "废气": (("二氧化硫", "氮氧化物", "颗粒物"), "颗粒物", 25, "mg/m³"),
    "废水": (("化学需氧量", "氨氮", "总磷"), "化学需氧量", 70, "mg/L"),
    "扬尘": (("PM10", "PM2.5"), "PM10", 180, "μg/m³"),
    "噪声": (("等效声级",), "等效声级", 62, "dB(A)"),
}
MONITORED = {"chemical": ("废气", "废水"), "machinery": ("废气", "噪声"), "materials": ("扬尘", "噪声")}


def make_points(parties: Sequence[Party]) -> list[Row]:
    """Monitoring points: the same firms have one or two each, some over the invented limit."""
    dice = Dice(f"{SEED}/monitoring_points")
    rows: list[Row] = []
    for party in of_kind(parties, *MONITORED):
        for kind in MONITORED[party.kind]:
            factors, main, limit, unit = MONITORS[kind]
            reading = limit * dice.between(40, 112) / 100
            status = dice.pick(("正常",) * 8 + ("检修", "停用"))
            silent_days = dice.below(3) if status == "正常" else dice.between(20, 80)
            rows.append(
                NOTE
                | {
                    "点位编号": f"SYD-{len(rows) + 1:03d}",
                    "点位名称": f"{party.name}{kind}监控点",
                    "监控类型": kind,
                    "所属单位": party.name,
                    "统一社会信用代码": party.code,
                    "所属乡镇": party.town,
                    "横坐标（米）": str(dice.between(1000, 9000)),
                    "纵坐标（米）": str(dice.between(1000, 9000)),
                    "监测因子": listed(factors),
                    "主要因子": main,
                    "演示限值": str(limit),
                    "最近读数": f"{reading:.1f}",
                    "计量单位": unit,
                    "最近读数时间": stamp(clock(dice, LAST_DAY - timedelta(days=silent_days), 0, 23)),
                    "运行状态": status,
                    "是否联网": "是" if status == "正常" else "否",
                    "启用日期": working_day(date(2026, 1, 8) + timedelta(days=dice.below(80))).isoformat(),
                    "运维单位": dice.pick(("示例运维服务部一组", "示例运维服务部二组")),
                    "管理机关": STHJ,
                }
            )
    return rows


OTHER_ALERTS = (
    ("网格巡查", "消防通道占用", "网格员巡查发现厂区消防通道被占用", (YJGL,)),
    ("网格巡查", "物料露天堆放", "网格员巡查发现物料露天堆放未覆盖", (STHJ, ZHZF)),
    ("部门推送", "隐患逾期未整改", "检查发现的隐患到期仍未整改", (YJGL,)),
    ("部门推送", "许可即将到期", "有关许可将在三十日内到期", (SCJG, JTYS)),
    ("企业自报", "污染治理设施停运", "企业报告污染治理设施临时停运检修", (STHJ,)),
)


def alert_cause(dice: Dice, party: Party, points: Sequence[Row]) -> tuple[Row, tuple[str, ...]]:
    """What raised an alert on ``party``, and who is told: one of its own points, or somebody's report."""
    own = [point for point in points if point["所属单位"] == party.name]
    if own and dice.chance(55):
        point = dice.pick(own)
        limit = int(point["演示限值"])
        value = limit * dice.between(101, 180) / 100
        level = "红色" if value > 1.6 * limit else "橙色" if value > 1.4 * limit else "黄色"
        cause = {
            "预警级别": level,
            "预警类型": f"{point['监控类型']}超过演示限值",
            "预警来源": "监控点位",
            "点位编号": point["点位编号"],
            "触发值": f"{value:.1f}",
            "阈值": str(limit),
            "计量单位": point["计量单位"],
            "预警内容": f"{point['点位名称']}{point['主要因子']}超过演示限值。（演示内容）",
        }
        return cause, (STHJ, YJGL) if level == "红色" else (STHJ,)
    source, kind, text, told = dice.pick(OTHER_ALERTS)
    cause = {
        "预警级别": dice.pick(("橙色", "黄色", "黄色", "蓝色")),
        "预警类型": kind,
        "预警来源": source,
        "点位编号": "",
    }
    return cause | {"触发值": "", "阈值": "", "计量单位": "", "预警内容": text + "。（演示内容）"}, told


def make_alerts(parties: Sequence[Party]) -> list[Row]:
    """Alerts of the development zone on its firms: most are handled, a few still wait."""
    dice = Dice(f"{SEED}/alerts")
    points = make_points(parties)
    rows: list[Row] = []
    for number, day in enumerate(spread_days(dice, 120, first=date(2026, 4, 1)), start=1):
        party = dice.pick(of_kind(parties, "chemical", "machinery"))
        cause, told = alert_cause(dice, party, points)
        raised = clock(dice, day, 0, 20)
        done = raised + timedelta(minutes=5 * dice.between(12, 900))
        over = done.date() <= LAST_DAY and dice.chance(92)
        state = dice.pick(("已处置",) * 9 + ("误报",)) if over else dice.pick(("待处置", "处置中"))
        note = "经核实为设备故障，不构成风险。" if state == "误报" else "已到场核实并督促整改。"
        rows.append(
            NOTE
            | {
                "预警编号": f"示演预警2026-{number:04d}",
                "预警级别": cause["预警级别"],
                "预警类型": cause["预警类型"],
                "预警来源": cause["预警来源"],
                "点位编号": cause["点位编号"],
                "预警对象": party.name,
                "统一社会信用代码": party.code,
                "园区片区": ("东片区", "西片区", "南片区")[int(party.name[-3:]) % 3],
                "触发时间": stamp(raised),
                "触发值": cause["触发值"],
                "阈值": cause["阈值"],
                "计量单位": cause["计量单位"],
                "预警内容": cause["预警内容"],
                "推送单位": listed(told),
                "处置状态": state,
                "处置完成时间": stamp(done) if over else "",
                "处置说明": note + "（演示内容）" if over else "",
                "发布机关": JKQ,
            }
        )
    return rows


TABLES: dict[str, Callable[[Sequence[Party]], list[Row]]] = {
    "penalties": make_penalties,
    "permits": make_permits,
    "inspections": make_inspections,
    "activities": make_activities,
    "monitoring_points": make_points,
    "alerts": make_alerts,
    "documents": make_documents,
}


def as_csv(rows: Sequence[Row]) -> bytes:
    """Rows as the bytes of a file: UTF-8 with BOM (Excel shows the Chinese), LF line ends."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8-sig")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files, or compare them; 0 good, 1 when ``--check`` found a difference."""
    parser = argparse.ArgumentParser(description="Write or check the demonstration CSV files.")
    home = Path(__file__).resolve().parent.parent / "catalog" / "demo"
    parser.add_argument("--out", type=Path, default=home, help="folder of the files (default: catalog/demo)")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args(argv)
    parties = make_parties()
    different = []
    for name, make in TABLES.items():
        path = options.out / f"{name}.csv"
        data = as_csv(make(parties))
        if not options.check:
            path.write_bytes(data)
        elif not path.is_file() or path.read_bytes() != data:
            different.append(path.name)
    if different:
        print(f"not what this program makes: {', '.join(different)}; run it without --check", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
