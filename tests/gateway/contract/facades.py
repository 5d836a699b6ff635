"""The four façades behind one interface: each submits a picture, asks for its result and names its refusals."""

import base64
import io
import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import pytest
from typing_extensions import override
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.record import ErrorFacts
from tests.fakes import ManualClock, MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.gateway.contract.codes import REFUSALS
from tests.gateway.harness import ACCOUNT, Harness, make_harness, make_settings, signed, there
from tests.ledgers import FreshLedger

PNG = pictures.png()
ADDRESS = "https://pictures.example/cat.png?key=hidden"
QUICK: dict[str, Any] = {"runware_sync_seconds": 0.02, "removebg_sync_seconds": 0.02, "rembg_api": True}
"""Nobody works while a test's call is answered."""


@dataclass(frozen=True)
class Reply:
    """An answer, in words that all façades share."""

    response: TestResponse
    code: str
    """Of the refusal or of the failed job; empty where there is none."""
    text: str
    """What else the caller reads of it."""
    job: Any = None
    """What the caller asks for the result by; None where nothing was accepted."""
    image: bytes | None = None

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.code

    @property
    def retry_after_seconds(self) -> int:
        return int(self.response.headers["Retry-After"])


@dataclass(frozen=True, kw_only=True)
class Facade(ABC):
    """A façade of a gateway, and one caller of it."""

    gateway: Harness
    clock: ManualClock
    key: Any
    """The caller's credential; None where it sends none."""

    name: ClassVar[str]
    path: ClassVar[str]
    submit_rate: ClassVar[str]
    """The setting that limits how many pictures an account may send."""
    mask: ClassVar[Mapping[str, Any]]
    """Fields that ask for the mask alone."""
    counted_codes: ClassVar[tuple[str, ...]]
    """What a picture that is taken, a bad one and one of a stranger are counted as."""
    bad_field: ClassVar[Mapping[str, Any]]
    """A value that is refused before the ledger is asked."""
    takes_addresses: ClassVar[bool] = True

    @abstractmethod
    def other(self, account: str) -> Self:
        """The same gateway with a new credential, of an account that is made if it is not there."""

    @property
    @abstractmethod
    def stranger(self) -> Self:
        """The same gateway with a credential that nobody has."""

    @abstractmethod
    def revoke(self) -> None:
        """End the caller's credential."""

    @abstractmethod
    def submit(self, source: bytes | str = PNG, *, job: Any = None, **fields: Any) -> Reply:
        """Send a picture; a `job` that is given names the request as its first sending did."""

    @abstractmethod
    def poll(self, job: Any) -> Reply:
        """Ask for a job's result; it is fetched where the answer has its address."""

    @abstractmethod
    def ask(self) -> Reply:
        """Ask something that needs no picture."""

    @abstractmethod
    def send(self, body: bytes, **options: Any) -> Reply:
        """Send a body as it is, with the caller's credential where that is not in the body."""

    @abstractmethod
    def body(self, source: bytes | str = PNG, name: str = "", **fields: Any) -> bytes:
        """A request that submits a picture, or the address or text in its place."""

    def fresh_name(self) -> Any:
        """What a first request names its job by, so that it can be repeated."""
        return str(uuid.uuid4())

    def anonymous(self) -> Self:
        """The same gateway without a credential."""
        return replace(self, key=None)

    def with_settings(self, **changes: Any) -> Self:
        """The same gateway, on its ledger, with other settings."""
        return replace(self, gateway=self.gateway.with_settings(**QUICK | changes))

    def fail(self, kind: str) -> None:
        """Let the next job fail as a worker does."""
        self.gateway.fail_one(ErrorFacts(kind=kind, message="internal words"))

    def accept(self, source: bytes | str = PNG, *, job: Any = None, **fields: Any) -> Any:
        """Have a picture accepted; its job."""
        reply = self.submit(source, job=job, **fields)
        assert reply.job is not None, reply.response.data
        return reply.job

    def refused(self, reply: Reply, why: str) -> Reply:
        """Hold a reply to the façade's own code for a refusal."""
        assert reply.outcome == getattr(REFUSALS[why], self.name), reply.response.data
        return reply

    def waiting(self) -> int:
        """How many jobs of the installation's model wait."""
        return self.gateway.store.waiting(self.gateway.lane)


@dataclass(frozen=True, kw_only=True)
class Picpik(Facade):
    name = "picpik"
    path = "/"
    submit_rate = "submits_per_second"
    counted_codes = ("0", "230", "172")
    takes_addresses = False
    mask: ClassVar = {"OnlyMask": True}
    bad_field: ClassVar = {"ErodeSize": 41}

    @override
    def other(self, account: str) -> Self:
        return replace(self, key=self.gateway.add_pair(account))

    @property
    @override
    def stranger(self) -> Self:
        return replace(self, key=replace(self.key, public_key="nobody"))

    @override
    def revoke(self) -> None:
        self.gateway.revoke_pair(self.key.public_key)

    @override
    def fresh_name(self) -> Any:
        return "", str(uuid.uuid4())

    @override
    def body(self, source: bytes | str = PNG, name: str = "", **fields: Any) -> bytes:
        text = source if isinstance(source, str) else pictures.data_uri(source)
        return self._signed("RemoveBackground", RawImage=text, request_uuid=name, **fields)

    @override
    def submit(self, source: bytes | str = PNG, *, job: Any = None, **fields: Any) -> Reply:
        _, name = job or self.fresh_name()
        reply = self.send(self.body(source, name, **fields))
        uid = reply.response.get_json().get("TaskUID")
        return replace(reply, job=uid and (uid, name))

    @override
    def poll(self, job: Any) -> Reply:
        reply = self.send(self._signed("ListTasksDetails", TaskUIDList=[job[0]]))
        if reply.code:
            return reply
        [entry] = reply.response.get_json()["TaskDetailList"]
        image = self.gateway.open(entry["ImgList"][0]).data if entry["ImgList"] else None
        code = str(entry["ErrorCode"] or "")
        return replace(reply, code=code, text=entry["ErrorMessage"], image=image)

    @override
    def ask(self) -> Reply:
        return self.send(self._signed("ListRunningTasks"))

    @override
    def send(self, body: bytes, **options: Any) -> Reply:
        response = self.gateway.post(body, **options)
        answer = response.get_json()
        return Reply(response, str(answer["RetCode"] or ""), f"{answer['Message']} {answer.get('Detail')}")

    def _signed(self, action: str, **fields: Any) -> bytes:
        params = {"Action": action, **fields}
        if self.key is None:
            return json.dumps({**params, "Signature": "0" * 40}).encode()
        return json.dumps(signed({**params, "PublicKey": self.key.public_key}, self.key.private_key)).encode()


@dataclass(frozen=True, kw_only=True)
class WithApiKeys(Facade):
    """A façade whose callers send an API key."""

    @override
    def other(self, account: str) -> Self:
        return replace(self, key=self.gateway.add_api_key(account))

    @property
    @override
    def stranger(self) -> Self:
        return replace(self, key="cutgate_wrong")

    @override
    def revoke(self) -> None:
        self.gateway.revoke_api_key(self.key)


@dataclass(frozen=True, kw_only=True)
class Runware(WithApiKeys):
    name = "runware"
    path = "/v1"
    mask: ClassVar = {"returnOnlyMask": True}
    bad_field: ClassVar = {"outputFormat": "TIFF"}
    counted_codes = ("ok", "invalidInputImage", "invalidApiKey")
    submit_rate = "submits_per_second"

    @override
    def body(self, source: bytes | str = PNG, name: str = "", **fields: Any) -> bytes:
        text = source if isinstance(source, str) else pictures.data_uri(source)
        named = {"taskType": "imageBackgroundRemoval", "taskUUID": name or str(uuid.uuid4())}
        return _task(named | {"inputImage": text, "deliveryMethod": "async"} | fields)

    @override
    def submit(self, source: bytes | str = PNG, *, job: Any = None, **fields: Any) -> Reply:
        name = job or self.fresh_name()
        reply = self.send(self.body(source, name, **fields))
        return replace(reply, job=None if reply.code else name)

    @override
    def poll(self, job: Any) -> Reply:
        reply = self.send(_task({"taskType": "getResponse", "taskUUID": job}))
        [item] = reply.response.get_json().get("data", [{}])
        return replace(reply, image=self.gateway.open(item["imageURL"]).data if "imageURL" in item else None)

    @override
    def ask(self) -> Reply:
        names = {"taskUUID": str(uuid.uuid4()), "operation": "getDetails"}
        return self.send(_task({"taskType": "accountManagement"} | names))

    @override
    def send(self, body: bytes, **options: Any) -> Reply:
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        headers |= options.pop("headers", {})
        options = {"method": "POST", "content_type": "application/json"} | options
        response = self.gateway.open(self.path, data=body, headers=headers, **options)
        [error] = response.get_json().get("errors", [{"code": "", "message": ""}])
        return Reply(response, error["code"], error["message"])


def _task(task: Mapping[str, Any]) -> bytes:
    return json.dumps([task]).encode()


@dataclass(frozen=True, kw_only=True)
class RemoveBg(WithApiKeys):
    """Its answer is the result itself, or 429 until it is there: the same request again asks for it."""

    name = "removebg"
    path = "/v1.0/removebg"
    mask: ClassVar = {"channels": "alpha"}
    bad_field: ClassVar = {"size": "huge"}
    counted_codes = ("429", "400", "403")
    submit_rate = "removebg_units_per_minute"

    _NOT_READY: ClassVar = (429, "result_not_ready")

    @override
    def fresh_name(self) -> Any:
        return str(uuid.uuid4()), b""

    @override
    def body(self, source: bytes | str = PNG, name: str = "", **fields: Any) -> bytes:
        text = source if isinstance(source, str) else base64.b64encode(source).decode()
        picture = {"image_url" if "://" in text else "image_file_b64": text}
        return json.dumps(picture | fields).encode()

    @override
    def submit(self, source: bytes | str = PNG, *, job: Any = None, **fields: Any) -> Reply:
        name, _ = job or self.fresh_name()
        request = self.body(source, **fields)
        reply = self.send(request, headers={"Idempotency-Key": name})
        return replace(reply, job=(name, request) if reply.status == 200 or self._is_waited_for(reply) else None)

    @override
    def poll(self, job: Any) -> Reply:
        name, request = job
        reply = self.send(request, headers={"Idempotency-Key": name})
        return replace(reply, code="") if self._is_waited_for(reply) else reply

    @override
    def ask(self) -> Reply:
        return self.send(b"", path="/v1.0/account", method="GET")

    @override
    def send(self, body: bytes, **options: Any) -> Reply:
        headers = {} if self.key is None else {"X-Api-Key": self.key}
        headers |= options.pop("headers", {})
        options = {"path": self.path, "method": "POST", "content_type": "application/json"} | options
        response = self.gateway.open(data=body, headers=headers, **options)
        if response.status_code == 200:
            return Reply(response, "", "", image=response.data)
        [error] = there(response.get_json())["errors"]
        return Reply(response, error["code"], f"{error['title']} {error['detail']}")

    def _is_waited_for(self, reply: Reply) -> bool:
        return reply.outcome == self._NOT_READY


@dataclass(frozen=True, kw_only=True)
class Rembg(WithApiKeys):
    """Its answer is the result itself, or 504 until it is there. It has no Base64, and addresses come by GET."""

    name = "rembg"
    path = "/api/remove"
    mask: ClassVar = {"om": "true"}
    bad_field: ClassVar = {"af": "256"}
    counted_codes = ("504", "400", "401")
    submit_rate = "submits_per_second"

    _BOUNDARY: ClassVar = "between-the-parts"

    @override
    def fresh_name(self) -> Any:
        return str(uuid.uuid4()), b""

    @override
    def body(self, source: bytes | str = PNG, name: str = "", **fields: Any) -> bytes:
        data = source.encode() if isinstance(source, str) else source
        values = {"file": FileStorage(io.BytesIO(data), "picture.png"), **fields}
        return encode_multipart(values, boundary=self._BOUNDARY)[1]

    @override
    def submit(self, source: bytes | str = PNG, *, job: Any = None, **fields: Any) -> Reply:
        name, _ = job or self.fresh_name()
        request = source if isinstance(source, str) and "://" in source else self.body(source, **fields)
        reply = self._request(name, request)
        is_accepted = reply.status in {200, 504}
        return replace(reply, job=(name, request) if is_accepted else None)

    @override
    def poll(self, job: Any) -> Reply:
        reply = self._request(*job)
        return replace(reply, code="") if "still being worked on" in reply.text else reply

    @override
    def ask(self) -> Reply:
        """It has nothing to ask for: a request without a picture."""
        reply = self.send(self.body(b""))
        return replace(reply, code="") if reply.code == "missing" else reply

    @override
    def send(self, body: bytes, **options: Any) -> Reply:
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        headers |= options.pop("headers", {})
        media_type = f"multipart/form-data; boundary={self._BOUNDARY}"
        options = {"path": self.path, "method": "POST", "content_type": media_type} | options
        response = self.gateway.open(data=body, headers=headers, **options)
        if response.status_code == 200:
            return Reply(response, "", "", image=response.data)
        detail = there(response.get_json())["detail"]
        code = str(response.status_code) if isinstance(detail, str) else detail[0]["type"]
        return Reply(response, code, str(detail))

    def _request(self, name: str, request: bytes | str) -> Reply:
        headers = {"Idempotency-Key": name}
        if isinstance(request, bytes):
            return self.send(request, headers=headers)
        return self.send(b"", method="GET", query_string={"url": request}, content_type=None, headers=headers)


FACADES: tuple[type[Facade], ...] = (Picpik, Runware, RemoveBg, Rembg)


@dataclass
class Maker:
    """Makes gateways, and their caller of one façade."""

    kind: type[Facade]
    clock: ManualClock = field(default_factory=ManualClock)

    def __call__(self, **changes: Any) -> Facade:
        """A caller of a gateway with these settings."""
        return self.of(make_settings(**QUICK | changes))

    def of(self, settings: GatewaySettings) -> Facade:
        store, blobs = FreshLedger(settings.ledger_limits(), self.clock), MemoryBlobStore()
        harness = make_harness(settings, store=store, blobs=blobs)
        return self.kind(gateway=harness, clock=self.clock, key=None).other(ACCOUNT)


def only(*kinds: type[Facade]) -> pytest.MarkDecorator:
    """Run a test over these façades alone."""
    return pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds])
