"""The gate around Datasette: authenticate, route, answer, record, and only then send.

No byte of an answer leaves before its entry is durable. If the entry cannot be made durable, the answer is 503 and
no data leaves. What is not in :data:`catalog.routes.ROUTES` does not exist.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import orjson
from datasette.utils import error_body

from catalog import admission, i18n, idempotency
from catalog.authentication import Credentials, authenticate
from catalog.errors import AuthenticationError, RequestError
from catalog.http import (
    MAX_BODY_BYTES,
    MAX_FORM_BYTES,
    Answer,
    App,
    Receive,
    Scope,
    Send,
    collect,
    cookies,
    header_fields,
    read_body,
    replay_body,
)
from catalog.identity import nonces
from catalog.identity.nonces import replayed
from catalog.routes import METHODS, Access, Match, match
from catalog.service import Service
from catalog.serving import tracing
from catalog.serving.watch import Seen, Watch
from catalog.signatures import MAX_AGE, MAX_SKEW, is_signed
from ledger import Appended, BilingualError, ConflictError, LedgerUnavailableError

#: No inline script or style, nothing from elsewhere: these networks are closed, and data must not leak by a URL.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

if TYPE_CHECKING:
    from datasette.app import Datasette
_SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
#: JSON larger than this is not parsed again to count its rows.
_COUNT_ROWS_BELOW_BYTES = 4 * 1024 * 1024
_REFUSED_ARGUMENTS = frozenset({"_through", "_where", "_m2m", "_trace", "_context"})


class Gate:
    """The outermost ASGI wrapper.

    Args:
        app: Datasette's own application.
        watch: told of each request, for metrics and the access log.
    """

    def __init__(self, app: App, datasette: Datasette, service: Service, watch: Watch) -> None:
        self._app = app
        self._datasette = datasette
        self._service = service
        self._address = service.address
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._datasette.in_client():
            await self._app(scope, receive, send)
            return
        started_ns = time.perf_counter_ns()
        refused = None
        try:
            scope = self._address.placed(scope)
        except RequestError as error:
            refused = error
        request = _Request(scope, started_ns)
        i18n.language.set(i18n.negotiate(request.cookies.get(i18n.COOKIE), request.fields.get("accept-language", "")))
        try:
            answer = await self._answer(request, receive) if refused is None else self._misplaced(request, refused)
        except RequestError as error:
            answer = await self._error(request, error)
        except BilingualError as error:  # the ledger or the register: no data leaves, whatever it was
            answer = await self._error(request, RequestError(503, error.en, error.zh))
        answer.set_headers(_SECURITY_HEADERS)
        try:
            await answer.send(send, with_body=request.method != "HEAD")
        finally:
            self._watch.seen(request.seen(answer))

    def _misplaced(self, request: _Request, refused: RequestError) -> Answer:
        """A path that does not lie below the prefix: the prefix itself leads to the home page."""
        if request.path != self._address.prefix:
            raise refused
        return Answer(308, [(b"location", self._address.base_url.encode()), (b"cache-control", b"no-store")])

    async def _answer(self, request: _Request, receive: Receive) -> Answer:
        found = request.match
        form = found is not None and found.route.access in (Access.PUBLIC, Access.SIGNED_IN)
        body = await read_body(receive, MAX_FORM_BYTES if form else MAX_BODY_BYTES)
        public = found is not None and found.route.access is Access.PUBLIC
        credentials = None
        try:
            credentials = authenticate(self._service, request.method, request.whole_target, request.fields, body)
        except AuthenticationError as error:
            self._watch.refused_credentials(_kind_of(request.fields))
            await admission.note_failure(self._service, error, _kind_of(request.fields), request.asked)
            if not public:
                raise
        inner = replay_body(body, receive)
        scope = request.inner_scope(credentials)
        if found is not None and public:
            return await collect(self._app, scope, inner)
        if credentials is None or admission.must_change_first(credentials.actor, found):
            return self._ask_first(request, credentials)
        if found is None:
            raise RequestError(
                404,
                "there is nothing at this address; start from the home page",
                "此地址没有内容；请从首页进入",
            )
        admission.check(credentials.actor, found.route)
        if found.route.access in (Access.SIGNED_IN, Access.OPERATION):
            await self._use_nonce(credentials)
            return await collect(self._app, scope, inner)
        if credentials.nonce and self._service.ledger.used(credentials.once_key) is not None:
            raise replayed()
        refuse_arguments(request.query)
        claim = None
        if request.method == "POST":
            key = request.fields.get(idempotency.HEADER)
            claim = idempotency.claim(self._service, credentials.actor.agency, key, request.asked, body)
            if claim is not None and (first := claim.first()) is not None:
                return await self._repeat(credentials, first)
        answer = await collect(self._app, scope, inner)
        if request.method == "HEAD":
            answer.body = b""  # what leaves is what is hashed and counted
        if 300 <= answer.status < 400:  # a redirect carries no data, the address it leads to is recorded
            return answer
        return await self._record(request, found, credentials, answer, claim)

    async def _use_nonce(self, credentials: Credentials) -> None:
        """Use up the nonce of a signed request that leaves no entry; raises :class:`AuthenticationError` if it was."""
        if credentials.nonce:
            keep = MAX_AGE + 2 * MAX_SKEW
            await asyncio.to_thread(nonces.use, self._service.register, credentials.keyid, credentials.nonce, keep)

    async def _repeat(self, credentials: Credentials, seq: int) -> Answer:
        await self._use_nonce(credentials)
        return idempotency.repeated(self._service, seq, self._receipt_path(seq))

    def _receipt_path(self, seq: int) -> str:
        return str(self._datasette.urls.path(f"/log/receipt/{seq}"))

    async def _record(
        self,
        request: _Request,
        found: Match,
        credentials: Credentials,
        answer: Answer,
        claim: idempotency.Claim | None,
    ) -> Answer:
        """Append the entry of an answer; return the answer with the entry named in its headers.

        Raises:
            RequestError: 503, the ledger cannot be written; 409, the idempotency key was used for another call.
            AuthenticationError: the nonce was used by another request in the meantime.
        """
        kind, fields = self._entry(found, credentials, answer)
        particulars = credentials.particulars()
        particulars["query"] = request.asked
        if kind in ("query.served", "audit.read"):
            particulars["answer_sha256"] = hashlib.sha256(answer.body).hexdigest()
        fields["elapsed_us"] = (time.perf_counter_ns() - request.started_ns) // 1000
        once: tuple[str, ...] = (credentials.once_key,) if credentials.nonce else ()
        if claim is not None and answer.status < 400:
            once += claim.once
        try:
            done = await self._append(request, kind, fields, particulars, once)
        except ConflictError as error:
            if claim is not None and (first := claim.first()) is not None:
                return await self._repeat(credentials, first)
            self._watch.refused_credentials("signature")
            raise replayed() from error
        answer.set_headers(
            {
                "ledger-entry": str(done.seq),
                "ledger-receipt": self._receipt_path(done.seq),
                "cache-control": "private, no-store",
            }
        )
        return answer

    async def _append(
        self, request: _Request, kind: str, fields: dict[str, Any], particulars: dict[str, Any], once: tuple[str, ...]
    ) -> Appended:
        """Make an answer's entry durable. Raises what :meth:`_record` does, and :class:`ConflictError`."""
        self._watch.appending(1)
        queued = time.perf_counter()
        try:
            with tracing.appending(fields["route"]) as span:
                done = await self._service.ledger.append_async(kind, fields, particulars=particulars, once=once)
                span.set_attribute("liandong.entry", done.seq)
        except ConflictError:
            raise
        except LedgerUnavailableError as error:
            raise RequestError(503, error.en, error.zh) from error
        except BilingualError as error:
            raise RequestError(
                503,
                f"the query could not be recorded, so no data is given ({error.en})",
                f"本次查询无法记入台账，故不提供数据（{error.zh}）",
            ) from error
        finally:
            self._watch.appending(-1)
        self._watch.appended(time.perf_counter() - queued)
        request.entry = done.seq
        return done

    def _entry(self, found: Match, credentials: Credentials, answer: Answer) -> tuple[str, dict[str, Any]]:
        fields: dict[str, Any] = {
            "requester": credentials.actor.agency,
            "auth": credentials.actor.auth,
            "resource": found.resource,
            "route": found.route.name,
            "status": answer.status,
        }
        if credentials.actor.keyid:
            fields["keyid"] = credentials.actor.keyid
        if found.route.access is Access.AUDIT:
            return "audit.read", {**fields, "size_bytes": len(answer.body)}
        decision = self._service.decision(credentials.actor, found.resource) if answer.status == 403 else None
        if answer.status == 403 and (decision is None or not decision.allowed):
            return "query.referred", {**fields, "clause": decision.code if decision else "not_published"}
        if answer.status >= 400:
            return "query.failed", fields
        fields |= {"format": found.format, "size_bytes": len(answer.body)}
        rows = _count_rows(found, answer)
        if rows is not None:
            fields["rows"] = rows
        return "query.served", fields

    def _ask_first(self, request: _Request, credentials: Credentials | None) -> Answer:
        """What must be done before anything opens: sign in, or choose a password of one's own."""
        if request.wants_html and request.method in ("GET", "HEAD"):
            page = "/sign-in" if credentials is None else "/account/password"
            there = self._datasette.urls.path(page) + "?next=" + quote(request.target, safe="/")
            return Answer(302, [(b"location", there.encode()), (b"cache-control", b"no-store")])
        if credentials is not None:
            raise RequestError(
                403,
                "choose a password of your own first: sign in in the browser, the page for it opens",
                "请先在浏览器中登录并设置自己的密码，之后方可使用",
            )
        raise AuthenticationError(
            "sign in first: send a bearer token or an RFC 9421 signature, or sign in in the browser",
            "请先登录：接口请携带令牌或 RFC 9421 签名，浏览器请登录",
        )

    async def _error(self, request: _Request, error: RequestError) -> Answer:
        if request.wants_html:
            page = await self._datasette.render_template(
                "error.html",
                {
                    "status": error.status,
                    "title": None,
                    "error": i18n.choose(error.zh, error.en),
                    **error.details,
                    "liandong_actor": request.actor,
                    "here": request.target if request.method in ("GET", "HEAD") else "/",
                },
            )
            answer = Answer(error.status, [(b"content-type", b"text/html; charset=utf-8")], page.encode())
        else:
            # `error` in the reader's language as Datasette's shape wants it; both languages beside it.
            body = error_body(i18n.choose(error.zh, error.en), error.status)
            answer = Answer.of_json(error.status, {**body, "error_zh": error.zh, "error_en": error.en, **error.details})
        answer.set_header("cache-control", "no-store")
        if error.status == 401:
            answer.set_header("www-authenticate", "Bearer")
        if error.status == 503:
            answer.set_header("retry-after", "5")
        return answer


class _Request:
    """What the gate reads of a request, once; ``path`` and ``target`` lie below the public prefix."""

    def __init__(self, scope: Scope, started_ns: int) -> None:
        self.started_ns = started_ns
        self.method: str = scope["method"]
        raw_path = scope.get("raw_path") or scope["path"].encode()
        self.path: str = raw_path.decode("latin-1").partition("?")[0]
        query = scope.get("query_string", b"").decode("latin-1")
        self.query = query
        self.target = f"{self.path}?{query}" if query else self.path
        #: As it was sent, prefix included.
        self.whole_target = scope.get("root_path", "") + self.target
        #: What the entry commits to as the query.
        self.asked = f"{self.method} {self.whole_target}"
        self.fields = header_fields(scope["headers"])
        self.cookies = cookies(self.fields.get("cookie", ""))
        self.match = match(self.method, self.path)
        self.actor: dict[str, Any] | None = None
        self.entry: int | None = None
        self._credentials: Credentials | None = None
        self._scope = scope

    @property
    def wants_html(self) -> bool:
        """A browser that navigates, not a program: programs get errors as JSON."""
        if self.match is not None and self.match.format != "html":
            return False
        return "text/html" in self.fields.get("accept", "") and "authorization" not in self.fields

    def inner_scope(self, credentials: Credentials | None) -> Scope:
        """The scope for Datasette: our actor, and no credentials that it could read for itself."""
        self._credentials = credentials
        self.actor = credentials.actor.to_datasette() if credentials else None
        hidden = (b"cookie", b"authorization")
        return {
            **self._scope,
            "headers": [(name, value) for name, value in self._scope["headers"] if name.lower() not in hidden],
            "liandong_credentials": credentials,
            "liandong_cookies": self.cookies,
        }

    def seen(self, answer: Answer) -> Seen:
        """The request for metrics and log: no address, no login, nothing of what was asked."""
        credentials = self._credentials
        return Seen(
            self.method if self.method in METHODS else "OTHER",
            self.match.route.name if self.match else "none",
            answer.status,
            (time.perf_counter_ns() - self.started_ns) // 1000,
            0 if self.method == "HEAD" else len(answer.body),
            credentials.actor.agency if credentials else "",
            credentials.actor.auth if credentials else "",
            self.entry,
            tracing.trace_id(),
        )


def _kind_of(fields: Mapping[str, str]) -> str:
    """Which credentials a request brought, for counting those refused."""
    if is_signed(fields):
        return "signature"
    return "token" if fields.get("authorization") else "session"


def refuse_arguments(query: str) -> None:
    """Raise :class:`RequestError` 400 for arguments of Datasette that reach past the table that was asked for.

    ``_through`` filters by another table, whose permission would have to be decided and recorded too.
    """
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in _REFUSED_ARGUMENTS:
            raise RequestError(
                400,
                f"the argument {name} is not served here; filter by the table's own columns",
                f"不支持参数 {name}；请按本表的字段筛选",
            )


def _count_rows(found: Match, answer: Answer) -> int | None:
    if found.format != "json" or len(answer.body) > _COUNT_ROWS_BELOW_BYTES:
        return None
    if not answer.body:
        return 0
    try:
        value = orjson.loads(answer.body)
    except orjson.JSONDecodeError:  # newline-delimited JSON: a row a line
        return answer.body.count(b"\n") + (not answer.body.endswith(b"\n"))
    if isinstance(value, list):
        return len(value)
    # Facets give values away as rows do; with _shape=object the rows are the members, by primary key.
    rows = value.get("rows", value if "ok" not in value else [])
    facets = value.get("facet_results") or {}
    groups = facets.get("results", {}) if isinstance(facets, dict) else {}
    return len(rows) + sum(len(group.get("results", [])) for group in groups.values())
