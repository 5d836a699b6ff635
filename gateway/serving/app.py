"""The Flask application, made of parts that are passed in."""

from collections.abc import Callable
from functools import partial
from typing import Final

from flask import Flask, Response, request

from cutgate.gateway.observe.request_log import observe
from cutgate.gateway.openapi.parts import ApiSection
from cutgate.gateway.openapi.service import service_section
from cutgate.gateway.openapi.views import ApiPages
from cutgate.gateway.picpik.openapi import picpik_section
from cutgate.gateway.picpik.views import PicpikApi
from cutgate.gateway.playground.views import playground
from cutgate.gateway.rembg import views as rembg_views
from cutgate.gateway.rembg.openapi import rembg_section
from cutgate.gateway.rembg.views import RembgApi
from cutgate.gateway.removebg.openapi import removebg_section
from cutgate.gateway.removebg.sources import Sources, picture_limits
from cutgate.gateway.removebg.submitting import Removals
from cutgate.gateway.removebg.views import RemoveBgApi, is_below
from cutgate.gateway.runware.http.openapi import runware_section
from cutgate.gateway.runware.http.views import RunwareApi
from cutgate.gateway.runware.sockets.sessions import Sessions
from cutgate.gateway.runware.sockets.views import RunwareSockets
from cutgate.gateway.runware.tasks.actions import RunwareTasks
from cutgate.gateway.serving.health import HealthPages, Readiness, check_reading
from cutgate.gateway.serving.proxies import TrustedProxies
from cutgate.gateway.serving.results import ResultPages
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.parts import Parts

PARTS: Final = "cutgate-parts"
"""Name of the application's extension that holds what it is made of."""


def create_app(parts: Parts, sessions: Sessions) -> Flask:
    """Put the gateway together.

    PICPIK's protocol is at `/`, Runware's at `/v1` (WebSockets also at `/`), remove.bg's below `/v1.0`,
    rembg's at `/api/remove` where that is wanted, and results are under `/r/`. Browsers are sent from `/` to
    `/playground`.
    """
    settings, blobs = parts.settings, parts.blobs
    runware_tasks = RunwareTasks(parts)
    picpik, runware = PicpikApi(parts), RunwareApi(parts, runware_tasks)
    removebg = RemoveBgApi(parts, Removals(parts, Sources(picture_limits(settings.source_limits()))))
    app = Flask("gateway", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect would be a page in HTML
    app.url_map.strict_slashes = False  # a slash at the end is accepted: clients do not repeat a POST elsewhere
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # OPTIONS is a method as any other
    app.config["MAX_CONTENT_LENGTH"] = settings.max_batch_body_bytes
    app.register_blueprint(picpik.blueprint())
    app.register_blueprint(runware.blueprint())
    app.register_blueprint(removebg.blueprint())
    facades: list[tuple[Callable[[str], bool], Callable[[Exception], Response]]] = [(is_below, removebg.refuse)]
    if settings.rembg_api:
        rembg = RembgApi(parts)
        app.register_blueprint(rembg.blueprint())
        facades.append((rembg_views.is_below, rembg.refuse))
    app.extensions[PARTS] = parts  # whoever serves the application stops its WebSockets and waiting callers, too
    app.register_blueprint(ResultPages(paths=parts.tasks.paths, blobs=blobs).blueprint())
    app.register_blueprint(HealthPages(Readiness(parts, partial(check_reading, blobs))).blueprint())
    app.register_blueprint(
        ApiPages(
            make_sections=partial(_sections, settings),
            public_url=settings.public_url,
            has_page=settings.playground,
        ).blueprint()
    )
    observe(app)
    app.before_request(RunwareSockets(runware_tasks, sessions).upgrade)
    if settings.playground:
        app.register_blueprint(playground())

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.errorhandler(Exception)
    def refuse(error: Exception) -> Response:
        """Answer whatever no façade answers itself in a protocol's form; never in HTML, never with a trace."""
        own = (answer for is_own, answer in facades if is_own(request.path))
        return next(own, picpik.refuse)(error)

    # Flask's documented way to wrap an application.
    app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    return app


def _sections(settings: GatewaySettings) -> list[ApiSection]:
    """What the service consists of, for its description."""
    return [
        picpik_section(max_batch_images=settings.max_batch_images),
        runware_section(max_tasks=settings.max_runware_tasks),
        removebg_section(),
        *([rembg_section()] if settings.rembg_api else []),
        service_section(),
    ]
