"""`GET` and `POST /api/remove`: waits for the picture, and answers with it."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Blueprint, Response, redirect, request
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.admission import let_in
from cutgate.gateway.accounts.authentication import Authenticator
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry, Rate, RequestLimits
from cutgate.gateway.bodies import Bodies, is_small
from cutgate.gateway.form_parts import multipart
from cutgate.gateway.openapi.parts import MULTIPART
from cutgate.gateway.pictures.files import CONFIDENCE_HEADER, picture_file
from cutgate.gateway.rembg.errors import ALL_ORIGINS, FAULT, Refused, answer, failure, refused
from cutgate.gateway.rembg.options import MODELS, Options, missing
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.drafts import Draft, InspectedPicture, SourceUrl
from cutgate.gateway.tasks.submit import Submission, Submissions
from cutgate.gateway.waiting.callers import NoPlaceToWait, WaitingCallers
from cutgate.gateway.waiting.later import Later
from cutgate.gateway.web_url import WEB_URL_FORM, is_web_url
from cutgate.jobs.errors import BlobMissing, CutoutError
from cutgate.jobs.observe import logs
from cutgate.jobs.record import Task
from cutgate.jobs.spec import ModelChoice

PATH: Final = "/api/remove"
ORIGIN: Final = "rembg"
"""What the ledger calls tasks of this façade."""
MODEL_HEADER: Final = "Cutgate-Model"
_METHODS: Final = ("GET", "POST")
_NAME_HEADER: Final = "Idempotency-Key"
_NAME_CHARACTERS: Final = 255
_FILE: Final = "file"
_BEARER: Final = "bearer "
_JOINS_SECONDS: Final = 600
"""How long an equal request joins the task of the first, so that a repeat after 504 costs nothing."""
_AT_WORK: Final = "The picture is still being worked on: send the same request again, it costs nothing."
_LOG: Final = structlog.get_logger(__name__)


def is_below(path: str) -> bool:
    """Whether a path is the protocol's."""
    return path.rstrip("/") == PATH


@dataclass(frozen=True, kw_only=True)
class RembgApi:
    """The façade over HTTP."""

    settings: GatewaySettings
    authenticator: Authenticator
    limits: RequestLimits
    bodies: Bodies
    waiting: WaitingCallers
    submissions: Submissions

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("rembg", __name__)
        for method, view in (("GET", self.remove_url), ("POST", self.remove_file), ("OPTIONS", self.preflight)):
            routes.add_url_rule(PATH, view.__name__, view, methods=[method], provide_automatic_options=False)
        routes.add_url_rule("/api", view_func=self.documentation, provide_automatic_options=False)
        routes.register_error_handler(Exception, self.refuse)
        return routes

    def remove_url(self) -> Later:
        """Remove the background of a picture at a URL."""
        if request.method != "GET":  # a HEAD would do all the work
            raise MethodNotAllowed(valid_methods=_METHODS)
        account = self._admitted()
        url = request.args.get("url")
        options = Options.read(request.args, {}, [missing("query", "url")] if url is None else ())
        if url is None or not is_web_url(url):
            raise Refused(HTTPStatus.BAD_REQUEST, f"Send another url: {WEB_URL_FORM}.")
        return self._removed(account, options, SourceUrl(url))

    def remove_file(self) -> Later:
        """Remove the background of a picture that is sent as a file."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body without Content-Encoding.")
        account = self._admitted()
        request.max_content_length = self.settings.max_body_bytes
        with self.bodies.received(request, is_text=False) as body:
            try:
                boundary = request.mimetype_params.get("boundary", "")
                parts = dict(multipart(body.file, boundary)) if request.mimetype == MULTIPART else {}
            except (ValueError, RequestEntityTooLarge):
                raise Refused(HTTPStatus.BAD_REQUEST, "Invalid multipart data.") from None
            data = parts.pop(_FILE, b"")
            form = {name: content.decode("utf-8", "replace") for name, content in parts.items()}
            options = Options.read(request.args, form, () if data else [missing("body", _FILE)])
            return self._removed(account, options, InspectedPicture.of(data, self.submissions.limits))

    @staticmethod
    def preflight() -> Response:
        """Let pages of other hosts call."""
        headers = {
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": f"Authorization, Content-Type, {_NAME_HEADER}",
            "Access-Control-Max-Age": "600",
        }
        return Response("OK", headers={**ALL_ORIGINS, **headers}, content_type="text/plain")

    def documentation(self) -> AnyResponse:
        """Redirect from the path of rembg's documentation, which health checks ask, to ours."""
        return redirect("docs/" if self.settings.playground else "openapi.json")

    def refuse(self, error: Exception) -> Response:
        """An answer to a request that cannot be served."""
        known = refused(error)
        if known.status == FAULT[0]:
            _LOG.error("request_failed", exc_info=error)
        logs.bind(reason=f"{type(error).__name__}: {error}")
        response = answer(known)
        if isinstance(error, MethodNotAllowed):
            response.allow.update(_METHODS)
        return response

    def _admitted(self) -> Account:
        """The caller's account, once the request is counted and before its body has come."""
        header, address = request.headers.get("Authorization"), request.remote_addr

        def find(known: bool) -> Credential:
            if header is None and self.settings.rembg_account is not None:
                return self._without_key(self.settings.rembg_account)
            is_bearer = header is not None and header.lower().startswith(_BEARER)
            key = header[len(_BEARER) :].strip() if header is not None and is_bearer else header
            return self.authenticator.credential_of(key, address, known=known)

        def entry(credential: Credential) -> Entry:
            counted = self.limits.entry(credential, Rate.SUBMIT)
            if header is None:
                self.limits.count_address(counted, address)
            return counted

        account, _ = let_in(request.environ, self.limits, find, entry)
        if not self.waiting.has_place(account.name):
            raise NoPlaceToWait
        return account

    def _without_key(self, name: str) -> Credential:
        if not is_small(request.content_length or 0):
            self.authenticator.check_address(None, request.remote_addr)
        found = self.authenticator.credentials.of_account(name)
        if found is None:
            advice = f"run `python -m cutgate.gateway keys add --api-key --name {name}`, or send a key"
            reason = f"CUTGATE_REMBG_ACCOUNT names {name}, which is no active account: {advice}."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        return found

    def _removed(self, account: Account, options: Options, source: InspectedPicture | SourceUrl) -> Later:
        """The answer once the picture is done."""
        name = request.headers.get(_NAME_HEADER) or None
        if name is not None and len(name) > _NAME_CHARACTERS:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{_NAME_HEADER} has more than {_NAME_CHARACTERS} characters.")
        choice = self._choice(account, options.model)
        uid = self.submissions.submit(
            Submission(
                account=account,
                origin=ORIGIN,
                drafts=[Draft(source=source, spec=options.spec(choice))],
                name=f"{ORIGIN}:{name}" if name else None,
                joins_seconds=_JOINS_SECONDS,
                urgent=True,
                asked=options.model or "",
            )
        )
        logs.bind(task_uid=uid)
        render = partial(self._answer, request.environ, choice)
        find = partial(self.submissions.store.tasks.get, uid, account.name)
        return self.waiting.hold(account.name, uid, self.settings.runware_sync_seconds, render, find)

    def _choice(self, account: Account, model: str | None) -> ModelChoice:
        """What computes the picture: the network that is named where workers offer it, else the account's."""
        usual = account.terms.choice(self.settings.choice)
        if model is None or MODELS[model] == usual.model:
            return usual
        named = ModelChoice(model=MODELS[model])
        return named if self.submissions.offers.include(named.lane) else usual

    def _answer(self, environ: dict[str, Any], choice: ModelChoice, task: Task | None) -> Response:
        """The answer as the task stands. It may be called in another thread than the request's."""
        if task is None:
            return answer(refused(BlobMissing("the result is gone")))
        [item] = task.items
        if item.error is not None:
            return answer(failure(item.error))
        if item.result is None:
            return answer(Refused(HTTPStatus.GATEWAY_TIMEOUT, _AT_WORK))
        try:
            response = picture_file(self.submissions.blobs, item.result, environ)
        except CutoutError as error:
            return answer(refused(error))
        response.headers.update({**ALL_ORIGINS, MODEL_HEADER: choice.model})
        if item.result.confidence is not None:
            response.headers[CONFIDENCE_HEADER] = str(item.result.confidence)
        return response
