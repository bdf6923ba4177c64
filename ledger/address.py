"""The address under which clients reach the service: the form that ``public_url`` may have."""

from __future__ import annotations

import re

from ledger.errors import InstanceError

#: As clients send it: a host in lower case, no default port, no closing slash; nothing that two programs spell
#: differently, since a signature covers the address byte for byte.
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])"
_PUBLIC_URL = re.compile(
    rf"(?P<scheme>https?)://{_HOST}(?::(?P<port>[1-9][0-9]{{0,4}}))?(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def check_public_url(url: str) -> None:
    """Raise :class:`InstanceError` unless ``url`` is scheme, host, maybe a port and maybe a path below the host."""
    found = _PUBLIC_URL.fullmatch(url)
    if found is None or int(found["port"] or 1) > 65535 or found["port"] == _DEFAULT_PORTS[found["scheme"]]:
        raise InstanceError(
            f"public_url {url!r} is not like https://host, https://host:8443 or https://host/path: host in lower case, "
            "no default port, no closing slash",
            f"public_url {url!r} 应形如 https://主机、https://主机:8443 或 https://主机/路径：主机名小写，"
            "不写默认端口，末尾不带斜杠",
        )
