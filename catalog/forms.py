"""Reading what a page's form sent: several values, files, sent once; and answers that nobody keeps."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import BadRequest, Request

from catalog import i18n
from catalog.errors import RequestError
from catalog.http import MAX_FORM_BYTES
from catalog.web import page
from ledger import BilingualError, ConflictError

if TYPE_CHECKING:
    from datasette.app import Datasette

MAX_FIELDS = 40
#: Of a form with boxes to tick, for each column of a table or each agency.
MAX_FIELDS_WITH_BOXES = 500
#: The name of the field that makes a form good once.
ONCE = "once"


class Form:
    """What a form sent, texts only: a file is the text in it. A field left empty is as one that was not sent."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = {name: kept for name, values in fields.items() if (kept := [each for each in values if each])}

    @property
    def lists(self) -> dict[str, list[str]]:
        """All values of each field."""
        return self._fields

    def text(self, name: str) -> str:
        """The first value of a field without blanks around it, or an empty text."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """The first value of a field as it was sent: of a password."""
        return next(iter(self._fields.get(name, [])), "")

    def all(self, name: str) -> list[str]:
        """All values of a field, as of checkboxes."""
        return self._fields.get(name, [])

    def values(self) -> dict[str, str]:
        """First values, to fill a form again that was answered with an error; never passwords."""
        return {name: values[0] for name, values in self._fields.items() if values and "password" not in name}

    @property
    def once(self) -> tuple[str, ...]:
        """For an append: a form that is sent twice is done once."""
        key = self.text(ONCE)
        return (f"form:{key}",) if re.fullmatch(r"[A-Za-z0-9_-]{16,64}", key) else ()


async def read_form(request: Request, most: int = MAX_FIELDS) -> Form:
    """The form of a POST, urlencoded or multipart.

    Args:
        most: so many fields at most.

    Raises:
        RequestError: 400, it is malformed or has too many fields.
    """
    fields: dict[str, list[str]] = {}
    if not request.headers.get("content-type"):
        return Form(fields)  # a button alone
    try:
        sent = await request.form(
            files=True, max_fields=most, max_files=2, max_file_size=MAX_FORM_BYTES, min_free_disk_bytes=0
        )
        async with sent:
            items = list(sent.items())
            if len(items) > most:  # Datasette counts those of multipart forms only
                raise BadRequest(f"more than {most} fields")
            for name, value in items:
                text = value if isinstance(value, str) else (await value.read()).decode("utf-8", "replace")
                fields.setdefault(name, []).append(text)
    except BadRequest as error:
        raise RequestError(
            400,
            f"the form cannot be read ({error}); open the page again and send it anew",
            f"无法读取表单（{error}）；请重新打开页面后再提交",
        ) from error
    return Form(fields)


def new_once() -> str:
    """A value for the hidden field :data:`ONCE`."""
    return secrets.token_urlsafe(18)


def sent_before(error: ConflictError) -> RequestError:
    """The error for a form that was sent a second time."""
    return RequestError(
        409,
        f"this form was sent before and done then ({error.en}); what it showed is not shown again",
        f"该表单此前已提交并办理（{error.zh}）；当时显示的内容不再显示",
    )


def said(error: BilingualError) -> str:
    """An error's sentence in the reader's language."""
    return i18n.choose(error.zh, error.en)


async def render_private(
    datasette: Datasette, request: Request, template: str, about: dict[str, Any], status: int = 200
) -> Response:
    """:func:`catalog.web.page`, kept by nobody: it may show a password once."""
    response = await page(datasette, request, template, about, status)
    response.headers["cache-control"] = "private, no-store"
    return response


def redirect(datasette: Datasette, path: str) -> Response:
    """After a form was done: to a page that can be loaded again without doing it again."""
    return Response.redirect(datasette.urls.path(path), status=303)
