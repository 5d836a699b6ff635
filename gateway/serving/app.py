"""The Flask application, made of parts that are passed in."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from typing_extensions import override

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.authentication import Authenticator, ClientAddresses
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.rates import RequestLimits
from cutgate.gateway.bodies import Bodies, Room
from cutgate.gateway.observe.request_log import observe
from cutgate.gateway.openapi.parts import ApiSection
from cutgate.gateway.openapi.service import service_section
from cutgate.gateway.openapi.views import ApiPages
from cutgate.gateway.picpik.openapi import picpik_section
from cutgate.gateway.picpik.services import PicpikParts
from cutgate.gateway.picpik.views import PicpikApi
from cutgate.gateway.playground.views import PlaygroundPages
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
from cutgate.gateway.runware.tasks.services import RunwareParts
from cutgate.gateway.serving.health import HealthPages, Readiness, check_reading, check_room
from cutgate.gateway.serving.proxies import TrustedProxies
from cutgate.gateway.serving.results import ResultPages
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.sockets.hub import Sockets
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.gateway.waiting.callers import WaitingCallers
from cutgate.gateway.waiting.ends import TaskEnds
from cutgate.jobs.ports import BlobStore, Ledger, Presence, TaskEvents
from cutgate.jobs.urls import ResultPaths

WAITING: Final = "cutgate-waiting"
"""Name of the application's extension that keeps callers waiting."""
SOCKETS: Final = "cutgate-sockets"
"""Name of the application's extension that holds its WebSockets."""


def create_app(
    settings: GatewaySettings,
    *,
    accounts: Accounts,
    store: Ledger,
    events: TaskEvents,
    presence: Presence,
    blobs: BlobStore,
    sessions: Sessions,
) -> Flask:
    """Put the gateway together.

    PICPIK's protocol is at `/`, Runware's at `/v1` (WebSockets also at `/`), remove.bg's below `/v1.0`,
    rembg's at `/api/remove` where that is wanted, and results are under `/r/`. Browsers are sent from `/` to
    `/playground`.
    """
    paths = ResultPaths(settings.master_keys())
    tasks = Tasks(store=store, paths=paths, retention_seconds=settings.retention_seconds)
    submissions = Submissions(
        store=store,
        blobs=blobs,
        limits=settings.source_limits(),
        price=settings.image_price_credits,
        offers=Offers(presence=presence, own=settings.choice, memory_seconds=settings.offer_memory_seconds),
    )
    sockets = Sockets(settings)
    ends = TaskEnds(lambda account, uids: sockets.in_thread(tasks.find_ended, account, uids), events)
    waiting = WaitingCallers(ends, store, sockets.in_thread, settings)
    limits, addresses = RequestLimits(store, settings), ClientAddresses(store, settings)
    credentials = Credentials(accounts, store.server.require_known)
    authenticator = Authenticator(credentials=credentials, addresses=addresses)
    bodies = Bodies(Room(settings.large_bodies_bytes))
    picpik = PicpikApi(
        settings=settings,
        bodies=bodies,
        credentials=credentials,
        limits=limits,
        addresses=addresses,
        services=PicpikParts(
            submissions=submissions,
            tasks=tasks,
            waiting=waiting,
            store=store,
            choice=settings.choice,
        ),
    )
    runware = RunwareApi(
        settings=settings,
        bodies=bodies,
        authenticator=authenticator,
        tasks=RunwareTasks(services=RunwareParts.of(settings, submissions, tasks), limits=limits),
        waiting=waiting,
    )
    removebg = RemoveBgApi(
        settings=settings,
        bodies=bodies,
        authenticator=authenticator,
        waiting=waiting,
        removals=Removals(
            settings=settings,
            submissions=submissions,
            limits=limits,
            sources=Sources(picture_limits(settings.source_limits())),
            pictures=runware.tasks.services.pictures,
        ),
    )
    runware_sockets = RunwareSockets(
        settings=settings,
        authenticator=authenticator,
        tasks=runware.tasks,
        sessions=sessions,
        ends=ends,
        sockets=sockets,
    )
    app = _App("gateway", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect would be a page in HTML
    app.url_map.strict_slashes = False  # a slash at the end is accepted: clients do not repeat a POST elsewhere
    app.config["MAX_CONTENT_LENGTH"] = settings.max_batch_body_bytes
    app.register_blueprint(picpik.blueprint())
    app.register_blueprint(runware.blueprint())
    app.register_blueprint(removebg.blueprint())
    facades: list[tuple[Callable[[str], bool], Callable[[Exception], Response]]] = [(is_below, removebg.refuse)]
    if settings.rembg_api:
        rembg = RembgApi(
            settings=settings,
            authenticator=authenticator,
            limits=limits,
            bodies=bodies,
            waiting=waiting,
            submissions=submissions,
        )
        app.register_blueprint(rembg.blueprint())
        facades.append((rembg_views.is_below, rembg.refuse))
    app.extensions[WAITING] = waiting
    app.extensions[SOCKETS] = sockets  # whoever serves the application stops them, too
    app.register_blueprint(ResultPages(paths=paths, blobs=blobs).blueprint())
    readiness = Readiness(
        store,
        presence,
        partial(check_reading, blobs),
        partial(check_room, blobs, settings.least_free_bytes),
        scales_to_zero=settings.scale_to_zero,
    )
    app.register_blueprint(HealthPages(readiness).blueprint())
    app.register_blueprint(
        ApiPages(
            make_sections=partial(_sections, settings),
            public_url=settings.public_url,
            has_page=settings.playground,
        ).blueprint()
    )
    observe(app)
    app.before_request(runware_sockets.upgrade)
    if settings.playground:
        playground = PlaygroundPages()
        app.register_blueprint(playground.blueprint())
        app.before_request(playground.front)
    app.after_request(_harden)
    _answer_errors(app, picpik, facades)
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


class _Json(DefaultJSONProvider):
    """Flask's own, with an encoder that is made once."""

    _encoder: Final = json.JSONEncoder(default=DefaultJSONProvider.default, sort_keys=True, separators=(",", ":"))

    @override
    def response(self, *args: Any, **kwargs: Any) -> Response:
        text = self._encoder.encode(self._prepare_response_obj(args, kwargs))
        return Response(f"{text}\n", mimetype=self.mimetype)


class _App(Flask):
    """Flask, which need not find out each time that no view is a coroutine."""

    json_provider_class = _Json

    @override
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def _harden(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _answer_errors(
    app: Flask,
    picpik: PicpikApi,
    facades: Sequence[tuple[Callable[[str], bool], Callable[[Exception], Response]]],
) -> None:
    """Answer whatever no façade answers itself in a protocol's form; never in HTML, never with a trace."""

    def refuse(error: Exception) -> Response:
        own = (answer for is_own, answer in facades if is_own(request.path))
        return next(own, picpik.refuse)(error)

    app.register_error_handler(Exception, refuse)
