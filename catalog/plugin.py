"""Every Datasette hook, thin. What depends on its version: this, `databases`, `rule_table`, `explained`, `csv_answer`.

The hooks do nothing in a Datasette that :func:`build` did not make, so that the package can be installed beside other
uses of Datasette; but a Datasette started by hand on an instance folder is refused, since nothing would guard it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import yaml
from datasette import Response, hookimpl
from datasette.permissions import PermissionSQL, _permission_check_cache
from datasette.utils import MultiParams, StartupError
from datasette.utils.asgi import Request

from catalog import (
    access_page,
    account_pages,
    agencies_pages,
    agency_pages,
    credential_pages,
    csv_answer,
    grants_page,
    i18n,
    json_answer,
    listing,
    pages,
    permissions_page,
    purpose_page,
    queries_page,
    refusal,
    tally,
    use_page,
)
from catalog.address import PublicAddress
from catalog.anomalies_page import AnomalyPages
from catalog.asking import SCOPE_KEY, Asked
from catalog.authentication import Credentials
from catalog.databases import CategoryDatabase, read_without_a_thread
from catalog.desk import api as desk_api
from catalog.desk import pages as desk_pages
from catalog.desk.desk import Desk
from catalog.errors import UsageError
from catalog.http import App
from catalog.query import described
from catalog.query import page as query_page
from catalog.query.service import QueryService
from catalog.recorder import Gate
from catalog.routes import pattern_of
from catalog.rule_table import SOURCE, RuleTable, Verdicts
from catalog.service import Service
from catalog.serving.metrics import Metrics
from catalog.serving.pages import Health
from catalog.serving.watch import Nobody, Watch
from ledger import CATEGORIES, BilingualError

if TYPE_CHECKING:
    from datasette.app import Datasette


@dataclass(frozen=True, slots=True)
class _Guarded:
    """What belongs to a Datasette that :func:`build` made."""

    service: Service
    rules: RuleTable
    verdicts: Verdicts
    watch: Watch
    health: Health
    queries: QueryService
    anomalies: AnomalyPages
    desk: Desk


_guarded: WeakKeyDictionary[Datasette, _Guarded] = WeakKeyDictionary()

#: Views of the register's pages, by the name of their route (:mod:`catalog.routes`).
_VIEWS = {**account_pages.VIEWS, **agencies_pages.VIEWS, **agency_pages.VIEWS, **credential_pages.VIEWS}

_INSTANCE_ACTIONS = frozenset({"view-instance"})
_DATABASE_ACTIONS = frozenset({"view-database"})
_INSTANCE_RULE = "SELECT NULL AS parent, NULL AS child, 1 AS allow, 'signed in' AS reason"
_CATEGORY_RULES = " UNION ALL ".join(
    f"SELECT '{category}' AS parent, NULL AS child, 1 AS allow, 'the six categories' AS reason"
    for category in CATEGORIES
)


def build(service: Service, watch: Watch | None = None, metrics: Metrics | None = None) -> Datasette:
    """A Datasette over the six databases of ``service``'s instance, guarded by our gate.

    Args:
        watch: told of each request.
        metrics: what ``/metrics`` shows; None where nobody counts.
    """
    # Not at import time: see the package's docstring.
    from datasette import handle_exception as datasettes_own
    from datasette.app import Datasette

    # Where rich is installed, Datasette prints each error with the values of all local variables: of queries, that is.
    datasettes_own.rich = None
    folder = service.instance.path
    config, metadata = _read_yaml(folder / "datasette.yml"), _read_yaml(folder / "metadata.yml")
    datasette = Datasette(
        settings={"base_url": service.address.base_url},
        files=[str(service.instance.database_path(category)) for category in CATEGORIES],
        config=config,
        metadata=metadata,
        secret=service.instance.session_secret().hex(),
        default_deny=True,
    )
    for category in CATEGORIES:
        datasette.remove_database(category)
        datasette.add_database(CategoryDatabase(datasette, service.instance.database_path(category)), name=category)
    read_without_a_thread(datasette.get_internal_database())
    _count_rows(datasette)
    rules, health = RuleTable(datasette, service), Health(service, metrics)
    datasette.absolute_url = partial(_absolute_url, service.address)
    limit_seconds = datasette.setting("sql_time_limit_ms") / 1000
    queries = QueryService(service, limit_seconds, datasette.plugin_config("liandong") or {})
    service.closing(queries.close)
    _guarded[datasette] = _Guarded(
        service, rules, Verdicts(service), watch or Nobody(), health, queries, AnomalyPages(service), Desk(service)
    )
    return datasette


def _absolute_url(address: PublicAddress, request: Request, path: str) -> str:
    """For Datasette's own, which takes scheme and host of the request and, for some facets, forgets ``base_url``."""
    return address.url(path if path.startswith(address.base_url) else address.prefix + path)


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


def _count_rows(datasette: Datasette) -> None:
    """Have the rows counted that Datasette's own views hand to a template or turn into JSON."""
    from datasette.views.row import RowContext
    from datasette.views.table import TableContext

    render = datasette.render_template

    async def counted(templates: Any, context: Any = None, *args: Any, **kwargs: Any) -> str:
        if isinstance(context, (TableContext, RowContext)):
            tally.add_table(context.rows, getattr(context, "facet_results", None))
        html: str = await render(templates, context, *args, **kwargs)
        return html

    def counted_json(request: Request, args: Any, data: dict[str, Any], error: Any, truncated: Any = None) -> Response:
        tally.add_table(data.get("rows") or (), data.get("facet_results"))
        return json_answer.render(request, args, data, error, truncated)

    datasette.render_template = counted
    datasette.renderers["json"] = (counted_json, lambda: True)


def service_of(datasette: Datasette) -> Service | None:
    """The service that :func:`build` gave this Datasette, if it did."""
    guarded = _guarded.get(datasette)
    return guarded.service if guarded is not None else None


class _ReadOnce(Request):  # type: ignore[misc]
    """A request whose query string is parsed once; Datasette's own parses it at each look, thirty times for a page."""

    @cached_property
    def args(self) -> MultiParams:
        return MultiParams(parse_qs(self.query_string, keep_blank_values=True))


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
    guarded = _guarded.get(datasette)

    def wrap(app: App) -> App:
        return app if guarded is None else Gate(app, datasette, guarded.service, guarded.watch, guarded.queries)

    return wrap


def _remember_permissions(datasette: Datasette, request: Request, verdicts: Verdicts) -> None:
    """Let Datasette go on from what it decided in the same state of the register.

    It also asks of each table whether the anonymous may see it, only to call the answer private. They never may; said
    here, that question costs no SQL, and what is said can only deny.
    """
    known = verdicts.now()
    asked: Asked | None = request.scope.get(SCOPE_KEY)
    if asked is not None and "/" in asked.resource:
        database, table = asked.resource.split("/", 1)
        action = datasette.actions["view-table"]
        known[None, action.name, database, action.normalize_child(table)] = False
    _permission_check_cache.set(known)  # the router, which made an empty one for this request, takes it back at the end


@hookimpl
def actor_from_request(datasette: Datasette, request: Request) -> dict[str, Any] | None:
    guarded = _guarded.get(datasette)
    if guarded is None or "liandong_credentials" not in request.scope:
        return None  # not behind our gate
    if type(request) is Request:
        request.__class__ = _ReadOnce  # the first hook that sees a request; the object is Datasette's to make
        _remember_permissions(datasette, request, guarded.verdicts)
    credentials: Credentials | None = request.scope["liandong_credentials"]
    return credentials.actor.to_datasette() if credentials else None


@hookimpl
def permission_resources_sql(
    datasette: Datasette, actor: dict[str, Any] | None, action: str
) -> PermissionSQL | Awaitable[PermissionSQL] | None:
    guarded = _guarded.get(datasette)
    if guarded is None or actor is None or "agency" not in actor:
        return None
    if action == "view-table":
        return guarded.rules.rules_for(actor)
    if action in _INSTANCE_ACTIONS:
        return PermissionSQL(sql=_INSTANCE_RULE, source=SOURCE)
    if action in _DATABASE_ACTIONS:
        return PermissionSQL(sql=_CATEGORY_RULES, source=SOURCE)
    return None  # nothing else is ever allowed: no SQL, no download, no writing


@hookimpl
def register_routes(datasette: Datasette) -> list[tuple[str, Any]]:
    guarded = _guarded.get(datasette)
    if guarded is None:
        return []
    service, health, queries = guarded.service, guarded.health, guarded.queries

    def bind(page: Callable[..., Any]) -> Callable[..., Any]:
        async def view(request: Request) -> Response:
            try:
                response: Response = await page(datasette, service, request)
            except BilingualError as error:
                return await pages.problem(datasette, request, error)
            return response

        return view

    def asking(page: Callable[..., Any]) -> Callable[..., Any]:
        return bind(lambda datasette, service, request: page(datasette, service, queries, request))

    def at_desk(page: Callable[..., Any]) -> Callable[..., Any]:
        return bind(lambda datasette, service, request: page(datasette, guarded.desk, request))

    async def query(datasette: Datasette, service: Service, request: Request) -> Response:
        view = query_page.ask if request.method == "POST" else query_page.show
        return await view(datasette, service, queries, request)

    async def whole_csv(request: Request) -> Any:
        return await csv_answer.table(datasette, request)

    return [
        (r"^/$", bind(pages.home)),
        (r"^/language$", bind(pages.set_language)),
        (r"^/access$", bind(access_page.access)),
        (r"^/access/rules$", bind(permissions_page.permissions)),
        (r"^/anomalies$", bind(guarded.anomalies.anomalies)),
        (r"^/anomalies/review$", bind(guarded.anomalies.judge)),
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
        (r"^/healthz$", bind(health.healthz)),
        (r"^/readyz$", bind(health.readyz)),
        (r"^/metrics$", bind(health.metrics)),
        (r"^/log/checkpoint$", bind(pages.checkpoint)),
        (r"^/log/vkey$", bind(pages.verifier_key)),
        (r"^/log/tile/(?P<tile>[0-9]/.+)$", bind(pages.hash_tile)),
        (r"^/log/tile/(?P<tile>entries/.+)$", bind(pages.entry_bundle)),
        (r"^/log/receipt/(?P<seq>[0-9]+)$", bind(pages.receipt)),
        (r"^/(?P<database>[^/.]+)/(?P<table>[^/.]+)\.csv$", whole_csv),
        (rf"^{pattern_of('openapi')}$", asking(described.openapi)),
        (rf"^{pattern_of('query')}$", bind(query)),
        *((rf"^{pattern_of(name)}$", bind(view)) for name, view in _VIEWS.items()),
        *((rf"^{pattern_of(name)}$", at_desk(view)) for name, view in {**desk_pages.VIEWS, **desk_api.VIEWS}.items()),
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
    guarded = _guarded.get(datasette)
    if guarded is None:
        return None

    async def variables() -> dict[str, Any]:
        context = await pages.context(
            datasette, guarded.service, request, view_name=view_name, database=database, table=table
        )
        if view_name == "table" and request is not None and request.actor is not None:
            credentials = request.scope["liandong_credentials"]
            context["api"] = guarded.queries.api_section(credentials, f"{database}/{table}")
        return context

    return variables
