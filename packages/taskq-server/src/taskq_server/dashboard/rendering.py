"""Write pages from templates.

Jinja2 escapes whatever tasks say, and the policy of each page forbids all scripts and styles but
the dashboard's own files, so that a text that was not escaped would still do nothing.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import quote, unquote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from taskq_server.dashboard import assets, filters, language
from taskq_server.dashboard.viewer import Viewer, viewer_of

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}

_NOTICE = "taskq-notice"
_NOTICE_LENGTH = 500
_NOTICE_SECONDS = 30


def page(
    request: Request,
    template: str,
    *,
    viewer: Viewer | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    """Return a whole page.

    Args:
        request: asked for it.
        template: its name in `templates/`.
        viewer: who looks, unless the request says it.
        status: of the answer.
        values: what the template shows.
    """
    notice = unquote(request.cookies.get(_NOTICE, ""))[:_NOTICE_LENGTH]
    answer = fragment(request, template, viewer=viewer, status=status, notice=notice, **values)
    if notice:
        answer.delete_cookie(_NOTICE, path="/", httponly=True, samesite="strict")
    return answer


def fragment(
    request: Request,
    template: str,
    *,
    viewer: Viewer | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    """Return a part of a page, which replaces an older one; see `page`."""
    viewer = viewer or viewer_of(request)
    text = _environment(viewer.language).get_template(template).render(viewer=viewer, **values)
    return HTMLResponse(text, status, HEADERS)


def see_other(request: Request, path: str, notice: str = "") -> Response:
    """Lead from a form that was taken to the page that shows what it has done (303).

    Args:
        request: sent the form.
        path: below the dashboard, with its query.
        notice: a sentence for that page, in the viewer's language.
    """
    answer = RedirectResponse(viewer_of(request).path(path), 303, {"Cache-Control": "no-store"})
    if notice:
        answer.set_cookie(
            _NOTICE,
            quote(notice[:_NOTICE_LENGTH]),
            max_age=_NOTICE_SECONDS,
            path="/",
            httponly=True,
            samesite="strict",
        )
    return answer


def translated(request: Request, text: str, **values: object) -> str:
    """Return a sentence in the viewer's language, with values in place of `%(name)s`."""
    return language.gettext(language.of(request), text) % values


@lru_cache
def _environment(of: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("taskq_server.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        partial(language.gettext, of), partial(language.ngettext, of), newstyle=True
    )
    environment.filters |= filters.FILTERS
    environment.globals |= {"asset": assets.url, "languages": language.LANGUAGES}
    return environment
