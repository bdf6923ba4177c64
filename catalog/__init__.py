"""The Datasette plugin and the pages.

The ``datasette`` entry point names this package, not a module in it: only so does Datasette find ``templates/`` and
``static/``. Every hook is in :mod:`catalog.plugin` and re-exported here. Nothing that this package imports may import
``datasette.app``: Datasette loads its plugins while that module is being imported.
"""

from catalog.plugin import (
    actor_from_request,
    asgi_wrapper,
    extra_template_vars,
    forbidden,
    handle_exception,
    permission_resources_sql,
    prepare_jinja2_environment,
    register_routes,
    startup,
)

__all__ = [
    "actor_from_request",
    "asgi_wrapper",
    "extra_template_vars",
    "forbidden",
    "handle_exception",
    "permission_resources_sql",
    "prepare_jinja2_environment",
    "register_routes",
    "startup",
]
