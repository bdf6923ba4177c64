"""What tests of the pages share: a page as its reader gets it, its words, its links, its form filled in and sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

import httpx2

from tests.conftest import InProcess


@dataclass
class Walker:
    """A signed-in officer at a browser without scripts."""

    app: InProcess
    headers: dict[str, str]

    async def get(self, path: str, status: int = 200) -> str:
        """The HTML of a page."""
        response = await self.app.client.get(path, headers=self.headers)
        assert response.status_code == status, (path, response.status_code, words(response.text)[:500])
        return response.text

    async def led_to(self, path: str) -> str:
        """Where a page leads without being one."""
        response = await self.app.client.get(path, headers=self.headers)
        assert response.status_code in (302, 303), response.status_code
        return response.headers["location"]

    async def post(self, path: str, fields: dict[str, str | list[str]], status: int = 303) -> httpx2.Response:
        """What a form sends."""
        response = await self.app.client.post(path, data=fields, headers=self.headers)
        assert response.status_code == status, (response.status_code, words(response.text)[:500])
        return response


async def walker(app: InProcess, login: str, *, states: bool = True) -> Walker:
    """A browser of the officer ``login``."""
    return Walker(app, await app.sign_in(login, states=states))


def words(html: str) -> str:
    """What a reader reads."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def hrefs(html: str) -> list[str]:
    """Where a page leads."""
    return [unescape(found) for found in re.findall(r'<a [^>]*href="([^"]*)"', html)]


def hidden(html: str) -> dict[str, list[str]]:
    """The fields that a form sends along unseen."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', html):
        found.setdefault(unescape(name), []).append(unescape(value))
    return found
