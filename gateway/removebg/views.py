"""The protocol over HTTP: the paths below `/v1.0`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, g, request

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry, Rate, RateExceeded, rate_headers
from cutgate.gateway.error_rows import retry_after
from cutgate.gateway.http_headers import idempotency_key, preflight
from cutgate.gateway.observe.request_log import log_refusal
from cutgate.gateway.openapi.parts import MULTIPART
from cutgate.gateway.removebg.errors import Refused, in_json, refused
from cutgate.gateway.removebg.forms import Fields, read_fields
from cutgate.gateway.removebg.responses import rendered, wants_json
from cutgate.gateway.removebg.sources import MAX_BODY_BYTES
from cutgate.gateway.removebg.submitting import ORIGIN, Removals
from cutgate.gateway.tasks.parts import Parts
from cutgate.jobs.observe import logs

PREFIX: Final = "/v1.0"
KEY_HEADER: Final = "X-Api-Key"


def is_below(path: str) -> bool:
    """Whether a path is the protocol's, also where nothing is there."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


@dataclass(frozen=True)
class RemoveBgApi:
    """The façade over HTTP."""

    parts: Parts
    removals: Removals

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("removebg", __name__, url_prefix=PREFIX)
        routes.post("/removebg")(self.remove_background)
        routes.get("/account")(self.account)
        routes.post("/improve")(self.improve)
        for path in ("/removebg", "/account", "/improve"):
            routes.route(path, methods=["OPTIONS"])(preflight)
        routes.register_error_handler(Exception, self.refuse)
        return routes

    def remove_background(self) -> Response:
        """Answer with a picture without its background, or with what is in the way of that."""
        account = self._admitted(self._removal)
        self.parts.waiting.require_place(account.name)
        with self._fields() as given:
            accepted = self.removals.accept(account, given, idempotency_key(ORIGIN))
        logs.bind(task_uid=accepted.uid)
        g.allowance = accepted.allowance or g.allowance
        seconds = self.parts.settings.removebg_sync_seconds
        render = partial(
            rendered,
            blobs=self.parts.blobs,
            is_json=wants_json(request.accept_mimetypes),
            shown_type=accepted.options.shown_type(),
            tariff=accepted.tariff,
            allowance=g.allowance,
        )
        return self.parts.waiting.hold(account.name, accepted.uid, seconds, render)

    def account(self) -> Response:
        """Answer with the account's credits."""
        account = self._admitted(partial(self.parts.limits.entry, rate=Rate.POLL))
        balance = self.parts.store.accounts.balance(account.name)
        return in_json(self.removals.tariff(account).account(balance))

    def improve(self) -> Response:
        """Keep a picture that a caller gives away, where this installation collects any."""
        account = self._admitted(self._removal)
        if not self.parts.settings.removebg_improvement:
            raise Refused("improvement_disabled")
        with self._fields() as given:
            return in_json({"id": str(self.removals.keep(account, given))})

    def refuse(self, error: Exception) -> Response:
        """An answer to a request that cannot be served."""
        known = refused(error)
        kept = log_refusal(error, is_fault=known.code == "internal_error" and known is not error)
        said = {"title": known.title, "detail": known.detail, "code": known.code}
        response = in_json({"errors": [said]}, known.status)
        response.headers.update({**kept, **retry_after(known.status, error)})
        allowance = error.allowance if isinstance(error, RateExceeded) else g.get("allowance")
        # One client fails at a 429 without these, whatever it is for.
        if known.status == HTTPStatus.TOO_MANY_REQUESTS and allowance is not None:
            response.headers.update(rate_headers(allowance))
        return response

    def _admitted(self, entry_of: Callable[[Credential], Entry]) -> Account:
        """The caller's account, once the request is counted and before anything of the body is read."""
        api_key = request.headers.get(KEY_HEADER)

        def find(known: bool) -> Credential:
            return self.parts.authenticator.credential_of(api_key, request.remote_addr, known=known)

        account, g.allowance = self.parts.limits.let_in(request.environ, find, entry_of)
        return account

    def _removal(self, credential: Credential) -> Entry:
        return self.removals.entry(credential.account, key=credential.known_key)

    @contextmanager
    def _fields(self) -> Iterator[Fields]:
        """The fields of the request. A large body waits on disk until there is memory for it and its pictures."""
        request.max_content_length = MAX_BODY_BYTES
        is_text = request.mimetype != MULTIPART
        with self.parts.bodies.received(request, is_text=is_text) as body:
            yield read_fields(body.file, request.content_type)
