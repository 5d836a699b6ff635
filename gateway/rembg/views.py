"""`GET` and `POST /api/remove`: waits for the picture, and answers with it."""

import json
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry, Rate
from cutgate.gateway.bodies import is_small
from cutgate.gateway.error_rows import retry_after
from cutgate.gateway.form_parts import multipart
from cutgate.gateway.http_headers import ALL_ORIGINS, bearer_key, idempotency_key, preflight
from cutgate.gateway.observe.request_log import log_refusal
from cutgate.gateway.openapi.parts import MULTIPART
from cutgate.gateway.pictures.files import picture_file, result_of
from cutgate.gateway.rembg.errors import FAULT, Refused, failure, refused
from cutgate.gateway.rembg.options import MODELS, FileOptions, Options, UrlOptions
from cutgate.gateway.tasks.drafts import Draft, InspectedPicture, SourceUrl
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.tasks.submit import Submission
from cutgate.gateway.waiting.later import Later
from cutgate.jobs.observe import logs
from cutgate.jobs.record import Task
from cutgate.jobs.spec import ModelChoice

PATH: Final = "/api/remove"
ORIGIN: Final = "rembg"
"""What the ledger calls tasks of this façade."""
MODEL_HEADER: Final = "Cutgate-Model"
_JOINS_SECONDS: Final = 600
"""How long an equal request joins the task of the first, so that a repeat after 504 costs nothing."""
_AT_WORK: Final = "The picture is still being worked on: send the same request again, it costs nothing."


def is_below(path: str) -> bool:
    """Whether a path is the protocol's."""
    return path.rstrip("/") == PATH


@dataclass(frozen=True)
class RembgApi:
    """The façade over HTTP."""

    parts: Parts

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("rembg", __name__)
        routes.get(PATH)(self.remove_url)
        routes.post(PATH)(self.remove_file)
        routes.route(PATH, methods=["OPTIONS"])(preflight)
        routes.get("/api")(self.documentation)
        routes.register_error_handler(Exception, self.refuse)
        return routes

    def remove_url(self) -> Later:
        """Remove the background of a picture at a URL."""
        if request.method != "GET":  # a HEAD would do all the work
            raise MethodNotAllowed(valid_methods=("GET", "POST"))
        account = self._admitted()
        options = UrlOptions.read(request.args, {})
        return self._removed(account, options, SourceUrl(options.url))

    def remove_file(self) -> Later:
        """Remove the background of a picture that is sent as a file."""
        account = self._admitted()
        request.max_content_length = self.parts.settings.max_body_bytes
        with self.parts.bodies.received(request, is_text=False) as body:
            try:
                boundary = request.mimetype_params.get("boundary", "")
                parts = dict(multipart(body.file, boundary)) if request.mimetype == MULTIPART else {}
            except (ValueError, RequestEntityTooLarge):
                raise Refused(HTTPStatus.BAD_REQUEST, "Invalid multipart data.") from None
            options = FileOptions.read(request.args, parts)
            return self._removed(
                account, options, InspectedPicture.of(options.file, self.parts.submissions.limits)
            )

    def documentation(self) -> AnyResponse:
        """Redirect from the path of rembg's documentation, which health checks ask, to ours."""
        return redirect("docs/" if self.parts.settings.playground else "openapi.json")

    def refuse(self, error: Exception) -> Response:
        """An answer to a request that cannot be served."""
        known = refused(error)
        kept = log_refusal(error, is_fault=known.status == FAULT[0] and known is not error)
        headers = {**ALL_ORIGINS, **kept, **retry_after(known.status, error)}
        if known.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(json.dumps({"detail": known.detail}), known.status, headers, mimetype="application/json")

    def _admitted(self) -> Account:
        """The caller's account, once the request is counted and before its body has come."""
        is_keyless = self.parts.settings.rembg_account is not None and "Authorization" not in request.headers

        def find(known: bool) -> Credential:
            if is_keyless:
                return self._without_key()
            return self.parts.authenticator.credential_of(bearer_key(), request.remote_addr, known=known)

        def entry(credential: Credential) -> Entry:
            counted = self.parts.limits.entry(credential, Rate.SUBMIT)
            if is_keyless:
                self.parts.limits.count_address(counted, request.remote_addr)
            return counted

        account, _ = self.parts.limits.let_in(request.environ, find, entry)
        self.parts.waiting.require_place(account.name)
        return account

    def _without_key(self) -> Credential:
        name = self.parts.settings.rembg_account or ""
        if not is_small(request.content_length or 0):
            self.parts.authenticator.check_address(None, request.remote_addr)
        found = self.parts.authenticator.credentials.of_account(name)
        if found is None:
            advice = f"run `python -m cutgate.gateway keys add --api-key --name {name}`, or send a key"
            reason = f"CUTGATE_REMBG_ACCOUNT names {name}, which is no active account: {advice}."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        return found

    def _removed(self, account: Account, options: Options, source: InspectedPicture | SourceUrl) -> Later:
        """The answer once the picture is done."""
        choice = self._choice(account, options.model)
        uid = self.parts.submissions.submit(
            Submission(
                account=account,
                origin=ORIGIN,
                drafts=[Draft(source=source, spec=options.spec(choice))],
                name=idempotency_key(ORIGIN),
                joins_seconds=_JOINS_SECONDS,
                urgent=True,
                asked=options.model or "",
            )
        )
        logs.bind(task_uid=uid)
        return self.parts.waiting.hold(
            account.name, uid, self.parts.settings.runware_sync_seconds, partial(self._answer, choice)
        )

    def _choice(self, account: Account, model: str | None) -> ModelChoice:
        """What computes the picture: the network that is named where workers offer it, else the account's."""
        usual = account.terms.choice(self.parts.settings.choice)
        named = usual if model is None else ModelChoice(model=MODELS[model])
        return named if named.model != usual.model and self.parts.submissions.offers.include(named.lane) else usual

    def _answer(self, choice: ModelChoice, task: Task) -> Response:
        """The answer as the task stands."""
        result = result_of(task, failure, Refused(HTTPStatus.GATEWAY_TIMEOUT, _AT_WORK))
        response = picture_file(self.parts.blobs, result)
        response.headers.update({**ALL_ORIGINS, MODEL_HEADER: choice.model})
        return response
