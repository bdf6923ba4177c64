"""The moves that people make by form or call: a file a kind of move, all of them listed here.

A new one: a file with its :class:`~catalog.desk.moves.base.MoveForm`, a line in :data:`FORMS`, nothing else. What is
not listed here cannot be made over the desk; whether a case allows it now is :mod:`ledger.cases.moves`'s to say.
"""

from __future__ import annotations

from catalog.desk.moves import (
    answer,
    application,
    ask_supplement,
    authenticate,
    confirm,
    correction,
    dispute,
    fee,
    heed,
    mediate,
    redirect,
    refuse,
    supervise,
    supplement,
    transfer,
    withdraw,
)
from catalog.desk.moves.base import FormField, Looking, MoveForm, Said

#: In the order in which a case's page offers them.
FORMS: tuple[MoveForm, ...] = (
    *authenticate.FORMS,
    *answer.FORMS,
    *application.FORMS,
    *transfer.FORMS,
    correction.FORM,
    redirect.FORM,
    *refuse.FORMS,
    ask_supplement.FORM,
    supplement.FORM,
    confirm.FORM,
    *dispute.FORMS,
    *heed.FORMS,
    *mediate.FORMS,
    *supervise.FORMS,
    withdraw.FORM,
    fee.FORM,
)
BY_SLUG = {form.slug: form for form in FORMS}

__all__ = ["BY_SLUG", "FORMS", "FormField", "Looking", "MoveForm", "Said"]
