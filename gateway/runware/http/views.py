"""The protocol over HTTP: `POST /v1`, one JSON object for all tasks of a request."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

from cutgate.gateway.accounts.authentication import AddressShutOut, KeyRefused
from cutgate.gateway.bodies import is_small
from cutgate.gateway.error_rows import is_passing
from cutgate.gateway.http_headers import bearer_key
from cutgate.gateway.observe.metrics import count_no_more
from cutgate.gateway.observe.request_log import log_refusal
from cutgate.gateway.runware.messages.errors import Refused, key_refusal, refusal
from cutgate.gateway.runware.messages.outcomes import (
    AnswerLog,
    JsonObject,
    Outcome,
    Pending,
    message_of,
    status_of,
)
from cutgate.gateway.runware.messages.reading import read_message
from cutgate.gateway.runware.messages.requests import TaskType
from cutgate.gateway.runware.tasks.actions import RunwareTasks, authenticated, pong
from cutgate.gateway.runware.tasks.context import Caller
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.web_url import base_url
from cutgate.jobs.errors import LedgerUnavailable, ServiceUnavailable
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import Task

PATH: Final = "/v1"


@dataclass(frozen=True)
class RunwareApi:
    """The façade over HTTP."""

    parts: Parts
    tasks: RunwareTasks

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("runware", __name__)
        routes.post(PATH)(self.post)
        routes.get(PATH)(self.get)
        routes.route(PATH, methods=["PUT", "PATCH", "DELETE", "OPTIONS"])(self.other)
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
        # A small body is always read: a right key in it is to pass.
        if not is_small(request.content_length):
            self.parts.authenticator.check_address(bearer_key(), request.remote_addr)
        request.max_content_length = self.parts.settings.max_runware_body_bytes
        # A large body waits on disk until there is memory for it and its pictures.
        with self.parts.bodies.received(request) as received:
            elements = read_message(received.file.read(), self.parts.settings.max_runware_tasks)
            if all(task.get("taskType") == TaskType.PING for task in elements):
                return self._answer([pong() for _ in elements])
            try:
                begun = self._begun(elements)
            except (KeyRefused, AddressShutOut, ServiceUnavailable) as error:
                outcome, body = key_refusal(error)
                return self._answer([outcome], body)
        pending = [answer for answer in begun if isinstance(answer, Pending)]
        if not pending:
            return self._answer(self._settled(begun))
        waits = [([answer.uid], answer.wait_seconds) for answer in pending]
        return self.parts.waiting.until(pending[0].account, waits, lambda: self._answer(self._settled(begun)))

    def refuse(self, error: Exception) -> Response:
        """An answer to a request that is wrong as a whole."""
        if isinstance(error, AddressShutOut):
            outcome, body = key_refusal(error)
            return self._answer([outcome], body)
        if isinstance(error, RequestEntityTooLarge):
            error = Refused("too_large", str(self.parts.settings.max_runware_body_bytes))
        elif isinstance(error, UnsupportedMediaType):
            error = Refused("encoded")
        elif isinstance(error, HTTPException) and not isinstance(error, RequestTimeout):
            error = Refused("unreadable", "the body cannot be read")
        outcome = refusal(error, {})
        log_refusal(error, is_fault=outcome.status == HTTPStatus.INTERNAL_SERVER_ERROR)
        return self._answer([outcome])

    def _begun(self, elements: list[JsonObject]) -> list[Outcome | Pending]:
        """What became of each task of a caller with a key; one in the first element counts before the header's."""
        api_key: object = bearer_key()
        if elements[0].get("taskType") == TaskType.AUTHENTICATION:
            api_key = elements.pop(0).get("apiKey")

        def find(known: bool) -> Caller:
            credential = self.parts.authenticator.credential_of(api_key, request.remote_addr, known=known)
            take_place = partial(self.parts.waiting.has_place, credential.account.name)
            url = self.parts.settings.public_url or base_url(request.scheme, request.host)
            return Caller(credential=credential, base_url=url, take_place=take_place)

        if not elements:
            find(False)
            return [authenticated(str(uuid.uuid4()))]
        caller, first = self.tasks.begin_first(elements[0], find)
        # Each picture is let go of as soon as its task is accepted.
        del elements[0]
        return [first, *(self.tasks.begin(elements.pop(0), caller) for _ in range(len(elements)))]

    def _settled(self, begun: Sequence[Outcome | Pending]) -> list[Outcome]:
        """Every outcome in the order of the request, as the tasks stand that were waited for."""
        accounts = {answer.uid: answer.account for answer in begun if isinstance(answer, Pending)}
        found: dict[TaskUid, Task | None] = {}
        away: LedgerUnavailable | None = None
        if accounts:
            [account] = set(accounts.values())
            try:
                found = dict(zip(accounts, self.parts.tasks.find(account, list(accounts)), strict=True))
            except LedgerUnavailable as error:
                away = error

        def settle(pending: Pending) -> Outcome:
            if away is not None:
                return replace(refusal(away, pending.echo), uid=pending.uid)
            return pending.settle(found[pending.uid]) or pending.give_up()

        return [answer if isinstance(answer, Outcome) else settle(answer) for answer in begun]

    def _answer(self, outcomes: Sequence[Outcome], body: Any = None) -> Response:
        log = AnswerLog(g.started_at_seconds)
        for outcome in outcomes:
            log.add(outcome)
        count_no_more()
        answer = jsonify(body or message_of(outcomes))
        answer.status_code = status_of(outcomes)
        passing = [outcome for outcome in outcomes if is_passing(outcome.status)]
        if passing and answer.status_code != HTTPStatus.OK:
            seconds = max(outcome.retry_after_seconds for outcome in passing)
            answer.headers["Retry-After"] = str(seconds)
        return answer
