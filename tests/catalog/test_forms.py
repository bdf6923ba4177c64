"""What a page's form sent: one reading for all pages, bounded, and the same in either encoding."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from datasette.utils.asgi import Request

from catalog.errors import RequestError
from catalog.forms import MAX_FIELDS, MAX_FIELDS_WITH_BOXES, Form, read_form

pytestmark = pytest.mark.anyio
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def read(body: str, content_type: str = URLENCODED, most: int = MAX_FIELDS) -> Form:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    headers = [(b"content-type", content_type.encode())] if content_type else []
    return await read_form(Request({"type": "http", "method": "POST", "headers": headers}, receive), most)


def parts(fields: list[tuple[str, str]]) -> str:
    heads = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    return "".join(heads) + "--b--\r\n"


async def test_both_encodings_say_the_same() -> None:
    sent = [("code", " case "), ("show", "a"), ("show", "b"), ("words", ""), ("name", "示例&=")]
    for form in (await read(urlencode(sent)), await read(parts(sent), MULTIPART)):
        assert form.text("code") == "case"
        assert form.raw("code") == " case "
        assert form.all("show") == ["a", "b"]
        assert form.lists == {"code": [" case "], "show": ["a", "b"], "name": ["示例&="]}
        assert form.values() == {"code": " case ", "show": "a", "name": "示例&="}
        assert form.text("words") == form.text("nothing") == ""


async def test_a_button_alone_sends_nothing() -> None:
    assert (await read("", "")).lists == {}


@pytest.mark.parametrize("most", [MAX_FIELDS, MAX_FIELDS_WITH_BOXES])
async def test_too_many_fields_are_refused_in_either_encoding(most: int) -> None:
    sent = [("show", str(n)) for n in range(most + 1)]
    assert len((await read(urlencode(sent[:-1]), most=most)).all("show")) == most
    for body, content_type in ((urlencode(sent), URLENCODED), (parts(sent), MULTIPART)):
        with pytest.raises(RequestError) as caught:
            await read(body, content_type, most)
        assert caught.value.status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "multipart/form-data"])
async def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(RequestError) as caught:
        await read("a=1", content_type)
    assert caught.value.status == 400


async def test_a_form_is_filled_in_again_without_its_passwords() -> None:
    assert (await read("login=a&password=b&new_password=c")).values() == {"login": "a"}
