"""Signing in and out, and the officer's own account: password, sessions, roles."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from datasette import Response
from datasette.utils.asgi import Request

from catalog import stated
from catalog.agency_scope import done_message
from catalog.authentication import Credentials
from catalog.cookies import browser_cookie, session_cookie, set_cookie
from catalog.errors import AuthenticationError, ForbiddenError, RequestError
from catalog.forms import Form, read_form, redirect, render_private, said
from catalog.identity import lockout, officers, sessions
from catalog.identity import sign_in as door
from catalog.identity.lockout import LockedError
from catalog.service import Service
from catalog.slow_work import SlowWork
from catalog.web import safe_next

if TYPE_CHECKING:
    from datasette.app import Datasette

#: Passwords are checked two at a time; who comes when thirty wait is asked to come again.
PASSWORDS = SlowWork(threads=2, waiting=30)
#: A failed sign-in is answered after a multiple of this, so that no difference of a few milliseconds (an entry in the
#: ledger, a row more) tells a login that exists from one that does not.
FAILED_TAKES_SECONDS = 0.5


async def sign_in(datasette: Datasette, service: Service, request: Request) -> Response:
    """The sign-in form, and what it sends."""
    if request.method != "POST":
        about = {"next": safe_next(request.args.get("next"))}
        return await render_private(datasette, request, "sign_in.html", about)
    form, started = await read_form(request), time.monotonic()
    target, login = safe_next(form.raw("next")), form.text("login")
    try:
        signed_in = await PASSWORDS.run(
            door.sign_in,
            service.door,
            login,
            form.raw("password"),
            browser=_browser(service, request),
            user_agent=request.headers.get("user-agent", ""),
        )
    except (AuthenticationError, LockedError) as error:
        elapsed = time.monotonic() - started
        await asyncio.sleep(FAILED_TAKES_SECONDS - elapsed % FAILED_TAKES_SECONDS)
        about = {"next": target, "login": login, "error": said(error)}
        response = await render_private(datasette, request, "sign_in.html", about, status=error.status)
        if isinstance(error, LockedError):
            response.headers["retry-after"] = str(error.retry_after_seconds)
        return response
    response = Response.redirect(datasette.urls.path(target))
    _set_session(response, service, signed_in.session)
    if signed_in.browser:
        days = lockout.BROWSER_DAYS
        set_cookie(response, service.address, browser_cookie(service.address), signed_in.browser, days * 86400)
    return response


async def sign_out(datasette: Datasette, service: Service, request: Request) -> Response:
    """End the session."""
    credentials = _credentials(request)
    if credentials.session:
        sessions.end(service.register, credentials.session)
        stated.forget(service.register, credentials.session)
    response = Response.redirect(datasette.urls.path("/sign-in"))
    set_cookie(response, service.address, session_cookie(service.address), "", 0)
    return response


async def account(datasette: Datasette, service: Service, request: Request) -> Response:
    """My account: who I am here, my roles, my sessions."""
    credentials, login = _credentials(request), _login(request)
    about = {
        "section": "account",
        "officer": officers.find(service.register, login),
        "today": service.register.today(),
        "titles": {each["id"]: each for each in officers.listing(service.register, credentials.actor.agency)},
        "sessions": sessions.listing(service.register, login, credentials.session),
        "done": done_message(request.args.get("done", "")),
        "hours": sessions.SESSION_HOURS,
        "idle_minutes": sessions.IDLE_MINUTES,
    }
    return await render_private(datasette, request, "account.html", about)


async def account_sessions(datasette: Datasette, service: Service, request: Request) -> Response:
    """End one of my sessions, or all but this one."""
    form, credentials, login = await read_form(request), _credentials(request), _login(request)
    if form.text("session"):
        sessions.end_one(service.register, login, form.text("session"))
    else:
        sessions.end_all(service.register, login, but=credentials.session)
    return redirect(datasette, "/account?done=sessions")


async def account_password(datasette: Datasette, service: Service, request: Request) -> Response:
    """Choose a password; after a one-time one nothing else opens before that."""
    login, actor = _login(request), _credentials(request).actor
    about: dict[str, Any] = {"section": "account", "must_change": actor.must_change, "login": login}
    if request.method != "POST":
        about["next"] = safe_next(request.args.get("next"))
        return await render_private(datasette, request, "password.html", about)
    form = await read_form(request)
    about["next"] = safe_next(form.raw("next"))
    try:
        session = await PASSWORDS.run(_change, service, request, login, form)
    except RequestError as error:
        about["error"] = said(error)
        return await render_private(datasette, request, "password.html", about, status=error.status)
    target = about["next"] if about["next"] != "/" else "/account?done=password"
    response = redirect(datasette, target)
    _set_session(response, service, session)
    return response


def _change(service: Service, request: Request, login: str, form: Form) -> str:
    """Change the password; all sessions end, and a new one begins here."""
    present, wanted = form.raw("present_password"), form.raw("new_password")
    if wanted != form.raw("new_password_again"):
        raise RequestError(
            422, "the new password was typed differently the second time; type it twice alike", "两次输入的新密码不一致"
        )
    door.change_password(service.door, login, present, wanted, browser=_browser(service, request))
    return sessions.start(service.register, login, request.headers.get("user-agent", ""))


def _credentials(request: Request) -> Credentials:
    credentials: Credentials = request.scope["liandong_credentials"]
    return credentials


def _login(request: Request) -> str:
    """The signed-in officer's login.

    Raises:
        RequestError: 403, a system asks, which has no account.
    """
    login = _credentials(request).actor.officer
    if login is None:
        raise ForbiddenError(
            "in-person",
            "this page is an officer's own; sign in in the browser with a user name and password",
            "此页面供人员本人使用；请在浏览器中用用户名和密码登录",
        )
    return login


def _browser(service: Service, request: Request) -> str:
    sent: dict[str, str] = request.scope.get("liandong_cookies", {})
    return sent.get(browser_cookie(service.address), "")


def _set_session(response: Response, service: Service, session: str) -> None:
    seconds = sessions.SESSION_HOURS * 3600
    set_cookie(response, service.address, session_cookie(service.address), session, seconds)


VIEWS = {
    "sign-in": sign_in,
    "sign-out": sign_out,
    "account": account,
    "account-password": account_password,
    "account-sessions": account_sessions,
}
