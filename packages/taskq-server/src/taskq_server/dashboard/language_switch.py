"""The switch of languages, which is kept in a cookie."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from taskq_server.api.dashboard_path import ROOT
from taskq_server.dashboard import forms, language, local_address
from taskq_server.dashboard.page_route import PageRoute
from taskq_server.dashboard.viewer import stranger
from taskq_server.domain.errors import FieldError, InvalidFields

_SECONDS = 365 * 86_400

router = APIRouter(route_class=PageRoute)


@router.post(f"{ROOT}/language", operation_id="language")
async def switch(request: Request) -> Response:
    """Show all pages to this browser in another language from now on."""
    form = await forms.read(request)
    chosen = form.get("language")
    if chosen not in language.LANGUAGES:
        detail = f"language: there are {' and '.join(language.LANGUAGES)}"
        raise InvalidFields(detail, [FieldError("/language", "not-one-of", detail)])
    there = local_address.below(stranger(request), form.get("next"))
    answer = RedirectResponse(there, 303, {"Cache-Control": "no-store"})
    answer.set_cookie(
        language.COOKIE, chosen, max_age=_SECONDS, path="/", httponly=True, samesite="lax"
    )
    return answer
