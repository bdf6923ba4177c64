"""The table of docs/guide/accounts.md, from the program's own (catalog/identity/duties.py), by cog."""

from __future__ import annotations

from catalog.identity.duties import (
    ACT_WORDS,
    ACTS,
    AGENCY_ROLE_WORDS,
    AGENCY_ROLES,
    ANY,
    ANYBODY,
    DUTIES,
    OFFICE_WORDS,
    OFFICER_ROLE_WORDS,
    OFFICER_ROLES,
    OWN,
)


def render() -> str:
    """A row an act, a column a role of agencies; an empty cell is: nobody there."""
    heads = [f"{AGENCY_ROLE_WORDS[role][1]} {role}" for role in AGENCY_ROLES]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for act in ACTS:
        cells = [_cell(act, role) for role in AGENCY_ROLES]
        lines.append(f"| `{act}` {ACT_WORDS[act][1]} {ACT_WORDS[act][0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(act: str, role: str) -> str:
    rows = [duty for duty in DUTIES if duty.act == act and duty.role == role]
    if not rows:
        return "—"
    row = max(rows, key=lambda duty: len(duty.reach - OWN))  # one that reaches further covers the own agency too
    if row.officers == ANYBODY:
        who = "任何人 anybody"
    else:
        who = "、".join(f"{OFFICER_ROLE_WORDS[r][1]} {r}" for r in OFFICER_ROLES if r in row.officers)
    if row.office:
        who = f"{OFFICE_WORDS[row.office][1]}{who} of {OFFICE_WORDS[row.office][0]}"
    if row.reach == OWN:
        return f"{who}（本单位 own）"
    if row.reach == ANY:
        return f"{who}（任何单位 any）"
    return f"{who}（{'、'.join(AGENCY_ROLE_WORDS[r][1] for r in AGENCY_ROLES if r in row.reach)} of these）"
