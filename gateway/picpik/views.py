"""The protocol's one address, `POST /`, and the form of every answer: one JSON object, whatever happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Self
from urllib.parse import quote

from flask import Blueprint, Response, g, jsonify, request

from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry, Rate, rate_headers
from cutgate.gateway.bodies import Body, is_small
from cutgate.gateway.error_rows import retry_after
from cutgate.gateway.observe.metrics import OTHER, count_as
from cutgate.gateway.observe.request_log import log_refusal
from cutgate.gateway.picpik.actions import ACTIONS, Action
from cutgate.gateway.picpik.answers import Answer
from cutgate.gateway.picpik.caller import Caller
from cutgate.gateway.picpik.errors import SHOWN_CHARACTERS, Refused, refused
from cutgate.gateway.picpik.requests import read_request
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.waiting.callers import Wait
from cutgate.gateway.waiting.streams import EVENT_STREAM, Follow
from cutgate.gateway.web_url import base_url
from cutgate.jobs.observe import logs
from cutgate.signing import JsonValue, NumberText, parse_body, parse_form, take_signature, verify

Params = Mapping[str, JsonValue]

REQUEST_UUID_HEADER: Final = "X-UCLOUD-REQUEST-UUID"

WORDS_BYTES: Final = 2**18
"""The largest body of a request without pictures: a thousand ids are 24 KiB."""

_FORM: Final = "application/x-www-form-urlencoded"
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_PROBE_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Echo:
    """What every answer repeats of its request."""

    action: str = ""
    request_uuid: str = field(default_factory=lambda: logs.bound("request_uuid"))

    @classmethod
    def of(cls, params: Params) -> Self:
        """The parts that can be repeated; where the caller sent no such id it is the one that the log has."""
        action = _text(params.get("Action"))[:SHOWN_CHARACTERS]
        request_uuid = _text(params.get("request_uuid"))
        if 0 < len(request_uuid) <= SHOWN_CHARACTERS:
            return cls(action, request_uuid)
        return cls(action)


@dataclass(frozen=True)
class PicpikApi:
    """The façade: the way of a request through the parts."""

    parts: Parts

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("picpik", __name__)
        routes.post("/")(self.post)
        return routes

    def post(self) -> Response:
        """Answer one request, checking it in the protocol's order."""
        told_bytes = request.content_length
        # A small body is always read: a right signature in it is to pass.
        if not is_small(told_bytes):
            self.parts.authenticator.addresses.check(request.remote_addr)
        with self.parts.bodies.received(request) as body:
            return self._answer_to(self._parsed(body), body.size_bytes)

    def _parsed(self, body: Body) -> Params:
        """JSON if it looks like an object, else a form if it is called one."""
        is_json = body.file.read(_PROBE_BYTES).lstrip(_BLANK).startswith(b"{")
        body.file.seek(0)
        if not is_json and request.mimetype != _FORM:
            raise Refused("no_action")
        if body.size_bytes > self.parts.settings.max_body_bytes and not (is_json and body.is_plain):
            raise Refused("too_large")
        return parse_body(body.file.read()) if is_json else parse_form(body.file.read())

    def _answer_to(self, params: Params, size_bytes: int) -> Response:
        g.echo = echo = Echo.of(params)
        logs.bind(request_uuid=echo.request_uuid, action=echo.action)
        action = _action_of(params)
        if size_bytes > self._most_bytes(action):
            raise Refused("too_large")
        return self.parts.limits.admitted(
            partial(self._authenticate, params), lambda signed: self._answer_as(action, *signed)
        )

    def _answer_as(
        self, action: Action[Any, Any], credential: Credential, params: Params, signature: str
    ) -> Response:
        """Answer a request that a pair has signed."""
        with self.parts.limits.counting(credential, action.rate) as entry:
            g.entry = entry
            settings = self.parts.settings
            fields = read_request(
                action.request,
                params,
                ignore_unknown=settings.ignore_unknown_fields,
                max_batch_images=settings.max_batch_images,
            )
            entry.weigh(fields.weight)
            if not action.by_ledger:
                self.parts.limits.count(entry)
            caller = Caller(
                credential=credential,
                signature=signature,
                base_url=settings.public_url or base_url(request.scheme, request.host),
                entry=entry,
                wants_events=EVENT_STREAM in request.accept_mimetypes.values(),
            )
            answer = action.handle(fields, caller, self.parts)
        if isinstance(answer, Follow):
            return _marked(self.parts.waiting.stream(credential.account.name, answer), 0)
        if isinstance(answer, Wait):
            waits = [(answer.uids, answer.wait_seconds)]
            return self.parts.waiting.until(credential.account.name, waits, lambda: _success(answer.answer()))
        return _success(answer)

    def _most_bytes(self, action: Action[Any, Any]) -> int:
        """The largest body of an action. What may wait for results takes no room among the large ones."""
        if action.rate is not Rate.SUBMIT:
            return min(WORDS_BYTES, self.parts.settings.max_body_bytes)
        return self.parts.settings.max_batch_body_bytes if action.large else self.parts.settings.max_body_bytes

    def refuse(self, error: Exception) -> Response:
        """An answer that says what is wrong."""
        known = refused(error, request.path)
        kept = log_refusal(error, is_fault=known.key == "fault")
        row, members = known.row, {"Detail": known.detail} if known.detail else {}
        answer = _answer(row.ret_code, known.message, members)
        answer.status_code = self.parts.settings.throttle_status if row.status == 429 else row.status
        answer.headers.update(retry_after(row.status, error))
        answer.headers.update(kept)
        return answer

    def _authenticate(self, params: Params, known: bool) -> tuple[Credential, Params, str]:
        """The pair that signed the request, from memory if that will do; what it signed; and the signature."""
        address = request.remote_addr
        rest, signature = take_signature(params)
        if signature is None:
            self.parts.authenticator.addresses.fail(address)
            raise Refused("no_signature")
        found = self._pair_of(params, known)
        is_right = partial(verify, rest, signature, go_numbers=self.parts.settings.go_numbers)
        if not is_right(found.private_keys):
            now = self._pair_of(params, known=False)
            if now.private_keys == found.private_keys or not is_right(now.private_keys):
                self.parts.authenticator.addresses.fail(address, found.name)
                raise Refused("wrong_signature")
            found = now
        self.parts.authenticator.addresses.prove(address)
        return found, rest, signature

    def _pair_of(self, params: Params, known: bool) -> Credential:
        public_key = _text(params.get("PublicKey"))
        if not public_key:
            raise Refused("missing", name="PublicKey")
        found = self.parts.authenticator.credentials.find_pair(public_key, known=known)
        if found is None:
            self.parts.authenticator.addresses.fail(request.remote_addr)
            raise Refused("unknown_user")
        logs.bind(account=found.account.name)
        return found


def _action_of(params: Params) -> Action[Any, Any]:
    name = _text(params.get("Action"))
    if not name:
        raise Refused("no_action")
    if name not in ACTIONS:
        raise Refused("unknown_action", name=name)
    return ACTIONS[name]


def _text(value: JsonValue) -> str:
    """A string as it is; anything else as empty."""
    return value if isinstance(value, str) and not isinstance(value, NumberText) else ""


def _success(answer: Answer) -> Response:
    return _answer(0, "", answer.model_dump(by_alias=True, exclude_none=True))


def _answer(ret_code: int, message: str, members: dict[str, Any]) -> Response:
    echo = g.get("echo") or Echo()
    said = {
        "RetCode": ret_code,
        "Action": echo.action,
        "Message": message,
        "request_uuid": echo.request_uuid,
        **members,
    }
    return _marked(jsonify(said), ret_code)


def _marked(answer: Response, ret_code: int) -> Response:
    """An answer with the headers that all have, which is counted under its code."""
    echo = g.get("echo") or Echo()
    logs.bind(ret_code=ret_code)
    count_as(echo.action if echo.action in ACTIONS else OTHER, ret_code)
    entry: Entry | None = g.get("entry")
    if entry is not None and entry.allowance is not None:
        answer.headers.update(rate_headers(entry.allowance))
    # A header holds printable ASCII only; an id may be any text.
    plain = echo.request_uuid.isascii() and echo.request_uuid.isprintable()
    answer.headers[REQUEST_UUID_HEADER] = echo.request_uuid if plain else quote(echo.request_uuid)
    return answer
