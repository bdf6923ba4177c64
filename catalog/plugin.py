"""Every Datasette hook, thin. What depends on Datasette's version (1.0a41) lives in this module alone: docs/adr/0001.

The hooks do nothing in a Datasette that :func:`build` did not make, so that the package can be installed beside other
uses of Datasette; but a Datasette started by hand on an instance folder is refused, since nothing would guard it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import yaml
from datasette import Response, hookimpl
from datasette.permissions import PermissionSQL
from datasette.utils import StartupError
from datasette.utils.asgi import Request

from catalog import access_page, grants_page, i18n, listing, pages, purpose_page, queries_page, refusal, use_page
from catalog.authentication import Credentials
from catalog.errors import UsageError
from catalog.excel import mark_csv_downloads
from catalog.http import App
from catalog.recorder import Gate
from catalog.service import Service
from ledger import CATEGORIES, BilingualError

if TYPE_CHECKING:
    from datasette.app import Datasette

_services: WeakKeyDictionary[Datasette, Service] = WeakKeyDictionary()

_INSTANCE_ACTIONS = frozenset({"view-instance"})
_DATABASE_ACTIONS = frozenset({"view-database"})


def build(service: Service) -> Datasette:
    """A Datasette over the six databases of ``service``'s instance, guarded by our gate."""
    # Not at import time: see the package's docstring.
    from datasette import handle_exception as datasettes_own
    from datasette.app import Datasette

    # Where rich is installed, Datasette prints each error with the values of all local variables: of queries, that is.
    datasettes_own.rich = None
    folder = service.instance.path
    config, metadata = _read_yaml(folder / "datasette.yml"), _read_yaml(folder / "metadata.yml")
    datasette = Datasette(
        files=[str(service.instance.database_path(category)) for category in CATEGORIES],
        config=config,
        metadata=metadata,
        secret=service.instance.session_secret().hex(),
        default_deny=True,
    )
    for database in datasette.databases.values():
        _keep_queries_out_of_the_log(database)
    _services[datasette] = service
    return datasette


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"{path} is missing or cannot be read ({error}); restore it from a backup",
            f"{path} 缺失或无法读取（{error}）；请从备份恢复",
        ) from error
    if not isinstance(value, dict):
        raise UsageError(
            f"{path} is not a table of settings; restore it from a backup", f"{path} 不是配置表；请从备份恢复"
        )
    return value


def _keep_queries_out_of_the_log(database: Any) -> None:
    """Datasette prints a failing statement with its parameters: with what was searched for, that is."""
    execute = database.execute

    async def quiet(*args: Any, **kwargs: Any) -> Any:
        return await execute(*args, **{**kwargs, "log_sql_errors": False})

    database.execute = quiet


def service_of(datasette: Datasette) -> Service | None:
    """The service that :func:`build` gave this Datasette, if it did."""
    return _services.get(datasette)


@hookimpl
def startup(datasette: Datasette) -> None:
    guarded = service_of(datasette) is not None
    folders = {Path(file).parent for file in datasette.files if Path(file).parent != Path()}
    folders |= {datasette.config_dir} if datasette.config_dir else set()
    if not guarded and any((folder / "instance.yml").exists() for folder in folders):
        raise StartupError(
            "这是联动实例目录，直接用 datasette 打开会绕过权限和台账；请用 `liandong serve`。 / "
            "This is a liandong instance: plain datasette would bypass permissions and ledger; use `liandong serve`."
        )


@hookimpl(trylast=True)  # trylast makes it the outermost wrapper
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    service = service_of(datasette)

    def wrap(app: App) -> App:
        return app if service is None else Gate(mark_csv_downloads(app), datasette, service)

    return wrap


@hookimpl
def actor_from_request(request: Request) -> dict[str, Any] | None:
    credentials: Credentials | None = request.scope.get("liandong_credentials")
    return credentials.actor.to_datasette() if credentials else None


@hookimpl
def permission_resources_sql(datasette: Datasette, actor: dict[str, Any] | None, action: str) -> PermissionSQL | None:
    service = service_of(datasette)
    if service is None or actor is None or "agency" not in actor:
        return None
    if action in _INSTANCE_ACTIONS:
        return PermissionSQL.allow(reason="signed in")
    if action in _DATABASE_ACTIONS:
        rules = [[category, None, 1, "the six categories"] for category in CATEGORIES]
    elif action == "view-table":
        rules = service.view_table_rules(actor)
    else:
        return None  # nothing else is ever allowed: no SQL, no download, no writing
    return PermissionSQL(
        sql=(
            "SELECT value ->> 0 AS parent, value ->> 1 AS child, value ->> 2 AS allow, value ->> 3 AS reason "
            "FROM json_each(:liandong_rules)"
        ),
        params={"liandong_rules": json.dumps(rules, ensure_ascii=False)},
    )


@hookimpl
def register_routes(datasette: Datasette) -> list[tuple[str, Any]]:
    service = service_of(datasette)
    if service is None:
        return []

    def bind(page: Callable[..., Any]) -> Callable[..., Any]:
        async def view(request: Request) -> Response:
            try:
                response: Response = await page(datasette, service, request)
            except BilingualError as error:
                return await pages.problem(datasette, request, error)
            return response

        return view

    return [
        (r"^/$", bind(pages.home)),
        (r"^/sign-in$", bind(pages.sign_in)),
        (r"^/sign-out$", bind(pages.sign_out)),
        (r"^/language$", bind(pages.set_language)),
        (r"^/access$", bind(access_page.access)),
        (r"^/request$", bind(access_page.request_draft)),
        (r"^/grants$", bind(grants_page.list_grants)),
        (r"^/grants/new$", bind(grants_page.new_grant)),
        (r"^/grants/(?P<grant>[a-z0-9-]+)$", bind(grants_page.one_grant)),
        (r"^/purpose$", bind(purpose_page.purpose)),
        (r"^/queries$", bind(queries_page.my_queries)),
        (r"^/queries\.xlsx$", bind(queries_page.my_queries_file)),
        (r"^/queries/(?P<seq>[0-9]+)$", bind(use_page.my_query)),
        (r"^/asked$", bind(queries_page.who_asked)),
        (r"^/asked\.xlsx$", bind(queries_page.who_asked_file)),
        (r"^/ledger$", bind(pages.whole_ledger)),
        (r"^/log/checkpoint$", bind(pages.checkpoint)),
        (r"^/log/vkey$", bind(pages.verifier_key)),
        (r"^/log/tile/(?P<tile>[0-9]/.+)$", bind(pages.hash_tile)),
        (r"^/log/tile/(?P<tile>entries/.+)$", bind(pages.entry_bundle)),
        (r"^/log/receipt/(?P<seq>[0-9]+)$", bind(pages.receipt)),
    ]


@hookimpl
def forbidden(datasette: Datasette, request: Request, message: str) -> Callable[[], Any] | None:
    service = service_of(datasette)
    if service is None:
        return None

    async def answer() -> Response:
        return await refusal.forbidden(datasette, service, request)

    return answer


@hookimpl
def handle_exception(datasette: Datasette, request: Request, exception: Exception) -> Callable[[], Any] | None:
    service = service_of(datasette)
    if service is None:
        return None

    async def answer() -> Response:
        return await pages.failed(datasette, service, request, exception)

    return answer


@hookimpl
def prepare_jinja2_environment(env: Any, datasette: Datasette) -> None:
    if service_of(datasette) is None:
        return
    env.add_extension("jinja2.ext.i18n")
    env.install_gettext_callables(i18n.gettext, i18n.ngettext, newstyle=True)
    env.policies["ext.i18n.trimmed"] = True
    env.filters["local_time"] = listing.local_time
    env.filters["sentence"] = listing.sentence
    env.filters["number"] = lambda n: f"{n:,}"
    env.globals["asset"] = lambda name: datasette.urls.static_plugins("liandong", name)
    env.globals["choose"] = i18n.choose
    env.globals["current_language"] = i18n.language.get
    env.globals["html_lang"] = lambda: i18n.HTML_LANG[i18n.language.get()]


@hookimpl
def extra_template_vars(
    datasette: Datasette, request: Request | None, view_name: str | None, database: str | None, table: str | None
) -> Callable[[], Any] | None:
    service = service_of(datasette)
    if service is None:
        return None

    async def variables() -> dict[str, Any]:
        return await pages.context(datasette, service, request, view_name=view_name, database=database, table=table)

    return variables
