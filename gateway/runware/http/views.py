"""The protocol over HTTP: `POST /v1`, one JSON object for all tasks of a request."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout

from cutgate.gateway.accounts.authentication import AddressShutOut, Authenticator, KeyRefused
from cutgate.gateway.accounts.rates import RETRY_AFTER_SECONDS
from cutgate.gateway.bodies import Bodies, is_small
from cutgate.gateway.error_rows import is_passing
from cutgate.gateway.observe.metrics import count_no_more
from cutgate.gateway.runware.messages.errors import Refused, key_refusal, refusal
from cutgate.gateway.runware.messages.outcomes import (
    AnswerLog,
    JsonObject,
    Outcome,
    Pending,
    message_of,
    status_of,
)
from cutgate.gateway.runware.messages.reading import key_in_header, read_message
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.runware.tasks.actions import RunwareTasks, authenticated, pong
from cutgate.gateway.runware.tasks.services import Caller
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.wait import NoPlaceToWait, Place, Waits
from cutgate.gateway.web_url import base_url
from cutgate.jobs.errors import LedgerUnavailable, ServiceUnavailable
from cutgate.jobs.observe import logs

PATH: Final = "/v1"

_LOG: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class RunwareApi:
    """The façade over HTTP."""

    settings: GatewaySettings
    authenticator: Authenticator
    tasks: RunwareTasks
    waits: Waits
    bodies: Bodies

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("runware", __name__)
        for methods, view in (
            (["POST"], self.post),
            (["GET"], self.get),
            (["PUT", "PATCH", "DELETE", "OPTIONS"], self.other),
        ):
            routes.add_url_rule(PATH, view.__name__, view, methods=methods, provide_automatic_options=False)
        routes.register_error_handler(Exception, self.refuse)
        return routes

    def get(self) -> Response:
        """Refuse a GET that asks for no WebSocket."""
        answer = self.refuse(Refused("no_upgrade"))
        answer.headers["Upgrade"] = "websocket"
        return answer

    def other(self) -> Response:
        """Refuse a method."""
        answer = self.refuse(Refused("no_method"))
        answer.allow.update(("GET", "HEAD", "POST"))
        return answer

    def post(self) -> Response:
        """Answer a request, once all of its tasks are answered."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused("encoded")
        self._check_address()
        with ExitStack() as places:
            place = _LazyPlace(self.waits, places)
            with self._received() as elements:
                if all(task.get("taskType") == TaskType.PING for task in elements):
                    return self._answer([pong() for _ in elements])
                try:
                    begun = self._begun(elements, place)
                except (KeyRefused, AddressShutOut, ServiceUnavailable) as error:
                    outcome, body = key_refusal(error)
                    return self._answer([outcome], body)
            return self._answer(_settled(begun, place))

    def refuse(self, error: Exception) -> Response:
        """An answer to a request that is wrong as a whole."""
        if isinstance(error, AddressShutOut):
            outcome, body = key_refusal(error)
            return self._answer([outcome], body)
        if isinstance(error, RequestEntityTooLarge):
            error = Refused("too_large", str(self.settings.max_runware_body_bytes))
        elif isinstance(error, HTTPException) and not isinstance(error, RequestTimeout):
            error = Refused("unreadable", "the body cannot be read")
        outcome = refusal(error, {})
        if outcome.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("a fault of this server", exc_info=error)
        logs.bind(reason=f"{type(error).__name__}: {error}")
        return self._answer([outcome])

    def _check_address(self) -> None:
        """Let a body be read, or not; a small one always is: a right key in it is to pass."""
        if not is_small(request.content_length):
            self.authenticator.check_address(
                key_in_header(request.headers.get("Authorization")), request.remote_addr
            )

    @contextmanager
    def _received(self) -> Iterator[list[JsonObject]]:
        """The tasks of the request. A large body waits on disk until there is memory for it and its pictures."""
        request.max_content_length = self.settings.max_runware_body_bytes
        with self.bodies.received(request.stream, request.content_length) as body:
            yield read_message(body.file.read(), self.settings.max_runware_tasks)

    def _begun(self, elements: list[JsonObject], place: "_LazyPlace") -> list[Outcome | Pending]:
        """What became of each task of a caller with a key; one in the first element counts before the header's."""
        api_key: object = key_in_header(request.headers.get("Authorization"))
        if elements[0].get("taskType") == TaskType.AUTHENTICATION:
            api_key = elements.pop(0).get("apiKey")

        def find(known: bool) -> Caller:
            credential = self.authenticator.credential_of(api_key, request.remote_addr, known=known)
            return Caller(credential=credential, base_url=self._base_url(), take_place=place.take)

        if not elements:
            find(False)
            return [authenticated(str(uuid.uuid4()))]
        caller, first = self.tasks.begin_first(elements[0], find)
        # Each picture is let go of as soon as its task is accepted.
        del elements[0]
        return [first, *(self.tasks.begin(elements.pop(0), caller) for _ in range(len(elements)))]

    def _base_url(self) -> str:
        return self.settings.public_url or base_url(request.scheme, request.host)

    def _answer(self, outcomes: Sequence[Outcome], body: Any = None) -> Response:
        log = AnswerLog(g.started_at_seconds)
        for outcome in outcomes:
            log.add(outcome)
        count_no_more()
        answer = jsonify(body or message_of(outcomes))
        answer.status_code = status_of(outcomes)
        passing = [outcome for outcome in outcomes if is_passing(outcome.status)]
        if passing and answer.status_code != HTTPStatus.OK:
            seconds = max(outcome.retry_after_seconds or RETRY_AFTER_SECONDS for outcome in passing)
            answer.headers["Retry-After"] = str(seconds)
        return answer


class _LazyPlace:
    """A place to wait, taken when the first task asks for it, and left with the block that `places` is of."""

    def __init__(self, waits: Waits, places: ExitStack) -> None:
        self._waits, self._places = waits, places
        self.place: Place | None = None

    def take(self) -> bool:
        """Whether there is a place."""
        if self.place is None:
            try:
                self.place = self._places.enter_context(self._waits.place())
            except NoPlaceToWait:
                return False
        return True


def _settled(begun: Sequence[Outcome | Pending], places: _LazyPlace) -> list[Outcome]:
    """Every outcome in the order of the request, once what is waited for is there, or its time is over."""
    begun_at_seconds = time.monotonic()
    settled: list[Outcome] = []
    away: LedgerUnavailable | None = None
    for answer in begun:
        if isinstance(answer, Outcome):
            settled.append(answer)
            continue
        if places.place is None:
            raise ValueError("nothing is waited for without a place")
        left_seconds = max(0.0, begun_at_seconds + answer.wait_seconds - time.monotonic())
        try:
            if away is None:  # else each task would wait for the ledger anew
                [task] = places.place.find(answer.account, [answer.uid], left_seconds)
        except LedgerUnavailable as error:
            away = error
        settled.append(
            (answer.settle(task) or answer.give_up())
            if away is None
            else replace(refusal(away, answer.echo), uid=answer.uid)
        )
    return settled
