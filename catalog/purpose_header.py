"""The purpose of a GET, which has no body to state it in: the header field ``Liandong-Purpose``. Pure.

A Structured Field (RFC 9651), an Item: the code is its Token, what belongs to it are parameters. Chinese goes in as a
Display String (§3.3.8: percent-encoded UTF-8), ASCII as a String; header fields hold nothing else::

    Liandong-Purpose: case; reference="2026-17"
    Liandong-Purpose: joint; reference=%"%e7%a4%ba2026-3"; words="night check"; participants="scjg zhzf"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import http_sf
from http_sf import DisplayString, StructuredFieldError, Token

from catalog.errors import RequestError
from catalog.purpose import CODES, Purpose, PurposeError, parse

NAME = "liandong-purpose"
EXAMPLE = 'Liandong-Purpose: case; reference="2026-17"'
#: In the signature base the line of a covered field begins so.
_COVERED = f'"{NAME}": '


def read(text: str, agencies: Sequence[str]) -> Purpose:
    """The purpose in a field's value.

    Raises:
        PurposeError: not of that form (``field`` is ``header``), or a purpose that says nothing.
    """
    try:
        item = http_sf.parse(text.encode("latin-1"), tltype="item")
    except StructuredFieldError as error:
        raise _out_of_form(str(error)) from error
    code, parameters = item if isinstance(item, tuple) else (item, {})
    if not isinstance(code, Token):
        raise _out_of_form("the code is a token, without quotes")
    values = {name: _text(name, value) for name, value in parameters.items()}
    unknown = sorted(set(values) - {"reference", "words", "participants"})
    if unknown:
        raise _out_of_form(f"unknown parameter {unknown[0][:40]!r}")
    stated: dict[str, Any] = {**values, "code": str(code)}
    if "participants" in values:
        stated["participants"] = values["participants"].split()
    return parse(stated, agencies)


def write(purpose: Purpose) -> str:
    """The field's value for a purpose; :func:`read` gives the purpose back."""
    values = {
        "reference": purpose.reference,
        "words": purpose.words,
        "participants": " ".join(purpose.participants),
    }
    parameters: dict[str, Any] = {
        name: value if value.isascii() else DisplayString(value) for name, value in values.items() if value
    }
    return http_sf.ser((Token(purpose.code), parameters))


def check_signed(signature_base: str) -> None:
    """Raise :class:`RequestError` 422 unless the signature covers the field, so that the purpose cannot be denied."""
    if not any(line.startswith(_COVERED) for line in signature_base.splitlines()):
        raise RequestError(
            422,
            f'the signature does not cover the purpose: add "{NAME}" to its covered components',
            f'签名未涵盖查询事由：请把 "{NAME}" 列入签名的组成部分',
        )


def how_to() -> Mapping[str, Any]:
    """How a program states its purpose, for the answers that ask for it."""
    return {
        "header": EXAMPLE,
        "codes": {code.code: {"zh": code.reference_zh, "en": code.reference_en} for code in CODES.values()},
    }


def _text(name: str, value: object) -> str:
    if isinstance(value, (str, DisplayString)):
        return str(value)
    raise _out_of_form(f"{name[:40]} is a string in quotes")


def _out_of_form(why: str) -> PurposeError:
    return PurposeError(
        "header",
        f"Liandong-Purpose is not of its form ({why}); write it as {EXAMPLE}, Chinese as a Display String of RFC 9651: "
        'reference=%"%e7%a4%ba"',
        f"Liandong-Purpose 格式不对（{why}）；写法：{EXAMPLE}，中文按 RFC 9651 的 Display String 写成 "
        'reference=%"%e7%a4%ba"',
    )
