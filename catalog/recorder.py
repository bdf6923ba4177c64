"""The gate around Datasette: authenticate, route, answer, record, and only then send.

No byte of an answer leaves before its entry is durable. If the entry cannot be made durable, the answer is 503 and
no data leaves. What is not in :data:`catalog.routes.ROUTES` does not exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from datasette.utils import error_body
from datasette.utils.asgi import Request

from catalog import admission, cross_site, i18n, idempotency, large_bodies, tally
from catalog.arguments import refuse_arguments
from catalog.asking import SCOPE_KEY, Asked, purpose_of
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
from catalog.outcomes import FAILED, REFUSED, SERVED, kind_of, once_a_day, repeated
from catalog.purpose import PurposeError
from catalog.query.errors import DeniedError, MethodError, QueryError
from catalog.query.quotas import QuotaError
from catalog.query.service import QueryService
from catalog.refusal import refused
from catalog.routes import API_BATCH, API_QUERY, METHODS, Access, Match, match, methods_of
from catalog.service import Service
from catalog.serving import tracing
from catalog.serving.watch import Seen, Watch
from catalog.signatures import MAX_AGE, MAX_SKEW, is_signed
from catalog.spool import Room, Spool
from catalog.tally import Tally
from ledger import Appended, BilingualError, ConflictError, LedgerUnavailableError
from ledger.items import SealedItems

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
#: Fields that ask for a part of an answer, or for it only if it changed (RFC 9110 §13, §14). What gives data never sees
#: them: "not modified" would be an answer about the data, and a part is not what the entry's digest is of.
_CONDITIONAL = frozenset(
    {b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range", b"range"}
)
#: Routes whose table Datasette answers for: decided here, for the purpose that was stated, before it is asked.
_DECIDED_HERE = frozenset({"table", "row"})
#: Routes that the query service answers without Datasette.
_DIRECT = frozenset({API_QUERY, API_BATCH})
#: Routes that give rows: they count against the agency's quota. Pages about the catalogue and the desk do not.
_COUNTED = _DIRECT | {"table", "row", "query"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Gate:
    """The outermost ASGI wrapper.

    Args:
        app: Datasette's own application.
        watch: told of each request, for metrics and the access log.
        queries: answers the routes of ``POST /api/query``, and counts what each agency asks.
    """

    def __init__(self, app: App, datasette: Datasette, service: Service, watch: Watch, queries: QueryService) -> None:
        self._app = app
        self._queries = queries
        self._datasette = datasette
        self._service = service
        self._address = service.address
        self._watch = watch
        self._room = Room(service.instance.path / "spool", datasette.setting("max_csv_mb") * 2**20)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._datasette.in_client():
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            with contextlib.closing(self._room.open()) as spool:
                await self._serve(scope, receive, send, spool)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it, and no route decides on it

    async def _serve(self, scope: Scope, receive: Receive, send: Send, spool: Spool) -> None:
        started_ns = time.perf_counter_ns()
        refused = None
        try:
            scope = self._address.placed(scope)
        except RequestError as error:
            refused = error
        request = _Request(scope, started_ns, spool)
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
        asking = (request.method, request.whole_target, request.fields)
        body = await read_body(receive, large_bodies.allowed(self._service, *asking, _body_limit(found)))
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
            return await collect(self._app, scope, inner, request.spool)
        if credentials is None or admission.must_change_first(credentials.actor, found):
            return self._ask_first(request, credentials)
        forged = await cross_site.refusal(self._datasette, scope, inner, credentials, request.spool)
        if forged is not None:
            return forged
        if found is None:
            raise _nowhere(request)
        admission.check(credentials.actor, found.route)
        if found.route.access in (Access.SIGNED_IN, Access.OPERATION):
            await self._use_nonce(credentials)
            return await collect(self._app, scope, inner, request.spool)
        return await self._answer_recorded(request, found, credentials, body, scope, inner)

    async def _answer_recorded(
        self,
        request: _Request,
        found: Match,
        credentials: Credentials,
        body: bytes,
        scope: Scope,
        inner: Receive,
    ) -> Answer:
        """The answer to a request for data, once its entry is durable."""
        if credentials.nonce and self._service.ledger.used(credentials.once_key) is not None:
            raise replayed()
        counted = tally.begin()
        asked = scope[SCOPE_KEY] = Asked(found.resource)
        claim = None
        try:
            refuse_arguments(request.query)
            if request.method == "POST":
                key = request.fields.get(idempotency.HEADER)
                claim = idempotency.claim(self._service, credentials.actor.agency, key, request.asked, body)
                if claim is not None and (first := claim.first()) is not None:
                    return await self._repeat(credentials, first)
            if found.route.name in _COUNTED:
                self._queries.quotas.admit(credentials.actor)
            answer = await self._ask(request, found, credentials, asked, body, scope, inner)
        except RequestError as error:
            if not _for_the_ledger(error, found):
                raise
            asked.reason = asked.reason or _reason(error)
            answer = await self._error(request, error)
        if answer.status in _REDIRECTS and (there := answer.header(b"location")):
            # It carries no data, and the address that it leads to is recorded.
            return Answer(answer.status, [(b"location", there.encode("latin-1")), (b"cache-control", b"no-store")])
        answer.drop_headers("link")  # Datasette's names the next page by the last row's values
        if request.method == "HEAD":
            answer.body, counted.rows = b"", 0  # what leaves is what is hashed and counted
        return await self._record(request, found, credentials, answer, counted, claim, asked)

    async def _ask(
        self,
        request: _Request,
        found: Match,
        credentials: Credentials,
        asked: Asked,
        body: bytes,
        scope: Scope,
        inner: Receive,
    ) -> Answer:
        """The answer of whoever makes it; of a table only when it is open for the purpose that was stated."""
        if found.route.name in _DIRECT:
            try:
                return await self._queries.answer(found, credentials, asked, request.fields, body)
            except DeniedError:
                return await self._refused(request, credentials, asked, scope, inner)
        if found.route.name not in _DECIDED_HERE:
            return await collect(self._app, _unconditional(scope), inner, request.spool)
        if found.route.name == "table":
            self._queries.check_address(found.resource, request.query)
        asked.purpose = purpose_of(self._service, credentials, request.fields, asked.resource)
        decision = asked.decide(self._service, credentials)
        if decision.allowed and decision.opens_table:
            return await collect(self._app, _unconditional(scope), inner, request.spool)
        if decision.code == "purpose_needed" and credentials.session and request.navigates:
            there = urlencode({"resource": asked.resource, "next": request.target})
            location = self._datasette.urls.path(f"/purpose?{there}")
            return Answer(303, [(b"location", location.encode()), (b"cache-control", b"no-store")])
        return await self._refused(request, credentials, asked, scope, inner)

    async def _refused(
        self, request: _Request, credentials: Credentials, asked: Asked, scope: Scope, inner: Receive
    ) -> Answer:
        """403 with the clause that decided."""
        asking = Request({**scope, "actor": credentials.actor.to_datasette()}, inner)
        response = await refused(self._datasette, self._service, asking, asked)

        async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
            await response.asgi_send(send)

        return await collect(answer, scope, inner, request.spool)

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
        counted: Tally,
        claim: idempotency.Claim | None,
        asked: Asked,
    ) -> Answer:
        """Append the entry of an answer; return the answer with the entry named in its headers.

        Raises:
            RequestError: 503, the ledger cannot be written; 409, the idempotency key was used for another call.
            AuthenticationError: the nonce was used by another request in the meantime.
        """
        kind, fields = self._entry(found, credentials, answer, counted, asked)
        particulars = credentials.particulars()
        particulars["query"] = f"{request.asked}\n{asked.text}" if asked.text else request.asked
        if asked.purpose is not None:
            particulars |= asked.purpose.particulars()
        if kind in (SERVED, "audit.read"):
            particulars["answer_sha256"] = await answer.sha256()
        # From the request's arrival here to the whole answer, hashed: what the agency waited for but the commit itself.
        fields["elapsed_us"] = (time.perf_counter_ns() - request.started_ns) // 1000
        once: tuple[str, ...] = (credentials.once_key,) if credentials.nonce else ()
        if claim is not None and answer.status < 400:
            once += claim.once
        try:
            if kind == REFUSED:
                done = await self._append_refusal(request, fields, particulars, once)
            else:
                done = await self._append(request, kind, fields, particulars, once, asked.items)
        except ConflictError as error:
            if claim is not None and (first := claim.first()) is not None:
                return await self._repeat(credentials, first)
            self._watch.refused_credentials("signature")
            raise replayed() from error
        self._queries.quotas.add_rows(credentials.actor, counted.rows or 0)
        if found.route.name in _DIRECT:
            self._queries.finish(answer, asked, done.seq, self._receipt_path(done.seq))
        answer.set_headers(
            {
                "ledger-entry": str(done.seq),
                "ledger-receipt": self._receipt_path(done.seq),
                "cache-control": "private, no-store",
            }
        )
        return answer

    async def _append(
        self,
        request: _Request,
        kind: str,
        fields: dict[str, Any],
        particulars: dict[str, Any],
        once: tuple[str, ...],
        items: SealedItems | None = None,
    ) -> Appended:
        """Make an answer's entry durable. Raises what :meth:`_record` does, and :class:`ConflictError`."""
        self._watch.appending(1)
        queued = time.perf_counter()
        try:
            with tracing.appending(fields["route"]) as span:
                done = await self._service.ledger.append_async(
                    kind, fields, particulars=particulars, batch=items, once=once
                )
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

    async def _append_refusal(
        self, request: _Request, fields: dict[str, Any], particulars: dict[str, Any], once: tuple[str, ...]
    ) -> Appended:
        """The day's first refusal of a resource to a requester; further attempts of that day fail with its number."""
        ledger = self._service.ledger
        key = once_a_day(fields["requester"], fields["resource"], self._service.register.today())
        if ledger.used(key) is None:
            with contextlib.suppress(ConflictError):  # refused in another process at the same moment, or replayed
                return await self._append(request, REFUSED, fields, particulars, (*once, key))
        first = ledger.used(key)
        if first is None:
            raise ConflictError("the nonce was used before", "随机数已被使用")
        return await self._append(request, FAILED, repeated(fields, first), particulars, once)

    def _entry(
        self, found: Match, credentials: Credentials, answer: Answer, counted: Tally, asked: Asked
    ) -> tuple[str, dict[str, Any]]:
        fields: dict[str, Any] = {
            "requester": credentials.actor.agency,
            "auth": credentials.actor.auth,
            "resource": asked.resource,
            "route": found.route.name,
            "status": answer.status,
        }
        if credentials.actor.keyid:
            fields["keyid"] = credentials.actor.keyid
        if found.route.access is Access.AUDIT:
            return "audit.read", {**fields, "size_bytes": answer.size_bytes}
        if asked.purpose is not None:
            fields["purpose"] = asked.purpose.code
        kind, more = kind_of(asked, answer.status)
        fields |= more
        if kind == SERVED:
            fields |= {"format": asked.format or found.format, "size_bytes": answer.size_bytes}
            if counted.rows is not None:
                fields["rows"] = counted.rows
            if len(asked.resources) > 1:
                fields["resources"] = list(asked.resources)
        return kind, fields

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
        answer.set_headers(error.headers)
        return answer


class _Request:
    """What the gate reads of a request, once; ``path`` and ``target`` lie below the public prefix."""

    def __init__(self, scope: Scope, started_ns: int, spool: Spool) -> None:
        self.started_ns = started_ns
        self.spool = spool
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
    def navigates(self) -> bool:
        """A browser that follows a link or an address, to a page or to a file of it."""
        return "text/html" in self.fields.get("accept", "") and self.method == "GET"

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
            0 if self.method == "HEAD" else answer.size_bytes,
            credentials.actor.agency if credentials else "",
            credentials.actor.auth if credentials else "",
            self.entry,
            tracing.trace_id(),
        )


def _for_the_ledger(error: RequestError, found: Match) -> bool:
    """Whether an error while something was asked is an entry of its own."""
    if isinstance(error, AuthenticationError) or found.route.access is not Access.RECORDED:
        return False
    if isinstance(error, QuotaError):
        return error.first
    return error.status < 500 or isinstance(error, QueryError)


def _reason(error: RequestError) -> str:
    if isinstance(error, QueryError):
        return error.code
    return "purpose" if isinstance(error, PurposeError) else "request"


def _body_limit(found: Match | None) -> int:
    if found is not None and found.route.body_bytes:
        return found.route.body_bytes
    form = found is not None and found.route.access in (Access.PUBLIC, Access.SIGNED_IN)
    return MAX_FORM_BYTES if form else MAX_BODY_BYTES


def _nowhere(request: _Request) -> RequestError:
    """404, or below ``/api/`` 405 where the address takes another method."""
    methods = methods_of(request.path)
    if methods:
        return MethodError(methods)
    return RequestError(
        404, "there is nothing at this address; start from the home page", "此地址没有内容；请从首页进入"
    )


def _kind_of(fields: Mapping[str, str]) -> str:
    """Which credentials a request brought, for counting those refused."""
    if is_signed(fields):
        return "signature"
    return "token" if fields.get("authorization") else "session"


def _unconditional(scope: Scope) -> Scope:
    """The scope without fields that ask for less than the whole answer."""
    return {**scope, "headers": [item for item in scope["headers"] if item[0].lower() not in _CONDITIONAL]}
