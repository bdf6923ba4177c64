"""Ways to spell an address or dress up a request, so that the gate and what lies behind it might differ over it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.catalog.bypass.asking import Header, headers_of
from tests.catalog.bypass.world import FOLDER

#: Methods that some server, proxy or framework knows, and two that are none.
METHODS = (
    *("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "QUERY"),
    *("get", "GET ", ""),
)


def lines_of(name: str) -> list[str]:
    """The lines of one of the suite's lists."""
    return (FOLDER / name).read_text(encoding="utf-8").split()


def spellings(path: str) -> Iterator[bytes]:
    """Other spellings of ``path`` (``/database/table.json``), as raw bytes."""
    raw = path.encode()
    head, _, last = raw.rpartition(b"/")
    for before in (b"/", b"//", b"/.", b"/x/..", b"/%2e", b"/%2E%2E", b"/-/..", b"/%ff", b"/http://catalog.test"):
        yield before + raw
    for between in (
        b"//",
        b"/./",
        b"/x/../",
        b"/%2e/",
        b"%2F",
        b"%2f",
        b"%5c",
        b"\\",
        b"~2F",
        b"/%c0%af",
        b"/..%c0%af",
    ):
        yield head + between + last
    for after in (
        *(
            b"/",
            b"//",
            b"/.",
            b"/..",
            b"%2f",
            b".",
            b"..",
            b"/x/..",
            b";x=1",
            b";.css",
            b"%3b",
            b"%3Fx=1",
            b"%23",
            b"#x",
        ),
        *(b"%00", b"%00.css", b"%20", b"%09", b"%0a", b"%0d%0aX-Injected:%20yes", b"+", b" ", b"\x00", b"\xff"),
        *(b"%c0%80", b"%zz", b"%", b"/sign-in", b"/healthz", b"a" * 9000),
    ):
        yield raw + after
    for beside in (b"/-/static-plugins/liandong/..", b"/-/static/../..", b"/sign-in/..", b"/log/tile/0/000.p/1/.."):
        yield beside + raw
    for public in (b"/sign-in", b"/healthz", b"/log/checkpoint", b"/" + b"a" * 9000):
        yield public + raw
    yield from (raw.upper(), raw.title(), raw.replace(b"json", b"JSON"), head + b"/" + last.capitalize())
    for old, new in ((b"i", b"%69"), (b"e", b"%65"), (b".", b"%2e"), (b".", b"%252e"), (b"e", b"~65"), (b".", b"~2E")):
        yield raw.replace(old, new, 1)
    yield from (raw.replace(b"/", b"~2F"), raw.replace(b"/", b"//"), head + b"/~69nspections.json")
    yield from (head + b"/%EF%BD%89nspections.json", head + "/ınspections.json".encode())
    yield from (head + b"/inspections\xe2\x80\x8b.json", head + b"/" + last * 3000, b"/" * 5000 + raw[1:])
    yield from (raw[1:], b"*", b"", b"http://catalog.test" + raw, b"//catalog.test" + raw)


#: Addresses that a guess at the disk behind the service would try.
GUESSES = lines_of("guesses.txt")

#: Arguments that reach beyond the table that was asked for, or past the gate's own decisions.
ARGUMENTS = lines_of("arguments.txt")
#: Ways to have a column that is not shown tell what is in it; it is named ``secret``.
HIDDEN_COLUMN = lines_of("hidden_column.txt")

#: Headers with which some proxy or framework would be told another address, method, host, client or user.
DRESS: tuple[tuple[Header, ...], ...] = tuple(
    headers_of(fields)
    for fields in (
        [("x-original-url", "/work/inspections.json")],
        [("x-rewrite-url", "/work/inspections.json"), ("x-original-uri", "/work/inspections.json")],
        [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "localhost"), ("x-forwarded-proto", "https")],
        [("x-forwarded-prefix", "/work"), ("x-script-name", "/work")],
        [("forwarded", "for=127.0.0.1;host=localhost;proto=https")],
        [("x-http-method-override", "DELETE"), ("x-method-override", "PUT"), ("x-http-method", "POST")],
        [("x-remote-user", "sfj-1"), ("remote-user", "sfj-1"), ("x-forwarded-user", "sfj-1"), ("x-user", "root")],
        [("x-datasette-actor", '{"id":"root"}'), ("x-actor", "root")],
        [("liandong_credentials", "x"), ("liandong-credentials", "x"), ("actor", "root")],
        [("host", "localhost"), ("host", "catalog.test")],
        [("sec-fetch-site", "none"), ("origin", "http://catalog.test")],
        [("accept-encoding", "gzip, br"), ("te", "trailers"), ("connection", "upgrade"), ("upgrade", "h2c")],
        [("if-none-match", "*"), ("if-modified-since", "Wed, 01 Jan 2031 00:00:00 GMT")],
        [("range", "bytes=0-10"), ("if-range", '"x"')],
        [("if-match", "*"), ("if-unmodified-since", "Wed, 01 Jan 2031 00:00:00 GMT")],
        [("expect", "100-continue"), ("transfer-encoding", "chunked"), ("content-length", "0")],
        [("content-type", "application/json"), ("x-requested-with", "XMLHttpRequest")],
        [("cookie", "liandong_session=x"), ("cookie", "liandong_language=en")],
    )
)
#: Credentials that are none.
FALSE_CREDENTIALS: tuple[tuple[Header, ...], ...] = tuple(
    headers_of(fields)
    for fields in (
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "Bearer null")],
        [("authorization", "Basic c2ZqLTE6eA==")],
        [("authorization", "Digest username=sfj-1")],
        [("authorization", "Bearer dstok_abc")],
        [("authorization", "Bearer ld_")],
        [("authorization", "Bearer " + "a" * 20_000)],
        [("authorization", "Bearer ' OR 1=1 --")],
        [("authorization", "Bearer %")],
        [("authorization", "")],
        [("authorization", "Bearer x"), ("authorization", "Bearer y")],
        [("cookie", "liandong_session=")],
        [("cookie", "liandong_session=' OR 1=1 --")],
        [("cookie", "liandong_session=a; liandong_session=b")],
        [("cookie", "__Host-liandong_session=a")],
        [("cookie", "\x00=;;;==;")],
        [("cookie", "ds_actor=x; ds_messages=x; datasette=x")],
        [("signature-input", "sig1=()"), ("signature", "sig1=::")],
        [
            ("signature-input", 'sig1=("@method" "@target-uri");created=1;keyid="x";nonce="y"'),
            ("signature", "sig1=:AAAA:"),
        ],
        [("signature", "x")],
    )
)
