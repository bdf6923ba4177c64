"""The market regulator's invented cases: penalty decisions, and the documents of the archived ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from demo_world import (
    NOTE,
    SCJG,
    SEED,
    Dice,
    Party,
    Row,
    authority_code,
    listed,
    of_kind,
    spread_days,
    wan,
    working_day,
)

FOOD_LAW = "《中华人民共和国食品安全法》"
DRUG_LAW = "《中华人民共和国药品管理法》"
DEMO_BASIS = "《示范县演示执法依据汇编》（虚构）"
CASH, GOODS = "没收违法所得", "没收非法财物"


@dataclass(frozen=True)
class Violation:
    """What a penalty is for; ``fine`` in hundreds of yuan, None where a warning is all that the basis allows."""

    title: str
    fact: str
    law: str
    article: str
    kinds: tuple[str, ...]
    fine: tuple[int, int] | None
    confiscates: tuple[str, ...] = ()


VIOLATIONS = (
    Violation(
        "未取得许可从事餐饮服务",
        "在未取得食品经营许可的情况下从事餐饮服务",
        FOOD_LAW,
        "第一百二十二条第一款",
        ("catering", "person"),
        (500, 800),
        (CASH,),
    ),
    Violation(
        "经营超过保质期的食品",
        "货架上待售的预包装食品超过保质期",
        FOOD_LAW,
        "第一百二十四条第一款第五项",
        ("food",),
        (500, 620),
        (CASH, GOODS),
    ),
    Violation(
        "经营标签不符合规定的预包装食品",
        "待售的预包装食品标签缺少规定内容",
        FOOD_LAW,
        "第一百二十五条第一款第二项",
        ("food",),
        (50, 200),
        (GOODS,),
    ),
    Violation(
        "采购不符合标准的食品原料",
        "采购并使用经检验不合格的食品原料",
        FOOD_LAW,
        "第一百二十五条第一款第四项",
        ("catering",),
        (50, 300),
        (GOODS,),
    ),
    Violation(
        "未履行进货查验义务",
        "进货时未查验供货者的许可证和合格证明",
        FOOD_LAW,
        "第一百二十六条第一款第三项",
        ("food", "catering"),
        None,
    ),
    Violation(
        "餐具使用前消毒不合格", "抽检的餐具清洗消毒不合格", FOOD_LAW, "第一百二十六条第一款第五项", ("catering",), None
    ),
    Violation(
        "安排无健康证明的人员上岗",
        "从事接触直接入口食品工作的人员未取得健康证明",
        FOOD_LAW,
        "第一百二十六条第一款第六项",
        ("catering",),
        None,
    ),
    Violation(
        "未遵守药品经营质量管理规范", "药品未按包装标示的温度存放", DRUG_LAW, "第一百二十六条", ("pharmacy",), None
    ),
    Violation("药品购销未按规定记录", "部分药品没有购进记录", DRUG_LAW, "第一百三十条", ("pharmacy",), None),
    Violation(
        "计量器具未按期检定",
        "使用中的计量器具超过检定周期",
        DEMO_BASIS,
        "第十二条",
        ("fuel", "materials", "food"),
        (5, 20),
    ),
    Violation(
        "产品标识不符合演示要求",
        "出厂产品的标识缺少演示要求的内容",
        DEMO_BASIS,
        "第十五条",
        ("materials", "machinery", "chemical"),
        (20, 100),
    ),
    Violation(
        "设备未按期检验",
        "使用中的设备超过检验周期",
        DEMO_BASIS,
        "第二十一条",
        ("machinery", "chemical", "transport"),
        (100, 300),
    ),
)


def make_penalties(parties: Sequence[Party]) -> list[Row]:
    """Penalty decisions of the market regulator, numbered in order of date."""
    dice = Dice(f"{SEED}/penalties")
    rows: list[Row] = []
    for number, day in enumerate(spread_days(dice, 160), start=1):
        what = dice.pick(VIOLATIONS)
        party = dice.pick(of_kind(parties, *what.kinds))
        fine = dice.between(*what.fine) if what.fine else 0
        taken = dice.between(1, 40) if what.confiscates else 0
        kinds = [*what.confiscates, "罚款"] if fine else ["警告"]
        content = f"罚款{wan(fine)}万元" if fine else "责令改正，给予警告"
        if taken:
            content = "、".join(what.confiscates) + f"合计{wan(taken)}万元；" + content
        rows.append(
            NOTE
            | {
                "决定书文号": f"示演市监罚字〔2026〕{number}号",
                "案件名称": f"{party.name}{what.title}案",
                "相对人名称": party.name,
                "相对人类别": party.type,
                "统一社会信用代码": party.code,
                "法定代表人": party.head,
                "证件类型": "居民身份证" if party.id_number else "",
                "证件号码": party.id_number,
                "所属乡镇": party.town,
                "违法行为类型": what.title,
                "违法事实": f"经查，当事人{what.fact}。（演示内容）",
                "处罚依据": what.law + what.article,
                "处罚类别": listed(kinds),
                "处罚内容": content,
                "罚款金额（万元）": wan(fine) if fine else "",
                "没收金额（万元）": wan(taken) if taken else "",
                "决定日期": day.isoformat(),
                "公示截止期": (day + timedelta(days=365)).isoformat(),
                "处罚机关": SCJG,
                "处罚机关代码": authority_code(SCJG),
                "备注": dice.pick(("", "", "", "已履行", "已申请行政复议")),
            }
        )
    return rows


PAPERS = (
    # name, kind, has a number of its own, days from the decision
    ("立案审批表", "立案类", False, -40),
    ("现场检查笔录", "调查取证类", False, -38),
    ("行政处罚告知书", "告知类", True, -12),
    ("行政处罚决定书", "决定类", True, 0),
    ("送达回证", "送达执行类", False, 3),
    ("结案审批表", "结案类", False, 20),
)


def make_documents(parties: Sequence[Party]) -> list[Row]:
    """Documents of 40 closed penalty cases, decided late enough that all of their papers are of 2026."""
    dice = Dice(f"{SEED}/documents")
    first, last = "2026-03-10", "2026-09-30"
    closed = [row for row in make_penalties(parties) if first <= row["决定日期"] <= last]
    rows: list[Row] = []
    for case in dice.some(closed, 40):
        number = int(case["决定书文号"].split("〕")[1].removesuffix("号"))
        decided = date.fromisoformat(case["决定日期"])
        archived = working_day(decided + timedelta(days=35))
        retention = "30年" if case["罚款金额（万元）"] else "10年"
        for place, (name, kind, numbered, offset) in enumerate(PAPERS, start=1):
            own = case["决定书文号"] if kind == "决定类" else f"示演市监告字〔2026〕{number}号"
            digitised = dice.chance(80)
            rows.append(
                NOTE
                | {
                    "档号": f"示演档2026-{number:04d}-{place:02d}",
                    "案号": f"示演市监案〔2026〕{number}号",
                    "决定书文号": case["决定书文号"],
                    "文书名称": name,
                    "文书文号": own if numbered else "",
                    "文书类型": kind,
                    "当事人": case["相对人名称"],
                    "统一社会信用代码": case["统一社会信用代码"],
                    "制作日期": working_day(decided + timedelta(days=offset)).isoformat(),
                    "归档日期": archived.isoformat(),
                    "页数": str(dice.between(1, 6)),
                    "保管期限": "永久" if kind == "决定类" else retention,
                    "是否电子化": "是" if digitised else "否",
                    "电子件地址": f"https://files.shifan.example/2026/{number:04d}-{place:02d}.pdf"
                    if digitised
                    else "",
                    "存放位置": f"演示库房{number % 4 + 1}号柜",
                    "立卷单位": SCJG,
                }
            )
    return rows
