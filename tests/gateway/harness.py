"""The gateway in this process, on a real ledger and with blobs in memory, and a caller that signs.

Every test of a façade drives the application through `Harness.open` alone, and makes keys through `Harness` alone.
"""

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials, KeyPair
from cutgate.gateway.serving.app import create_app
from cutgate.gateway.serving.health import Readiness, operators_page
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.offers import Offers
from cutgate.gateway.tasks.parts import Parts
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.answers import WorkerPresence
from cutgate.jobs.ids import BlobKey, new_token, result_key
from cutgate.jobs.ledger.events import TaskEvents
from cutgate.jobs.ports import BlobStore, Presence
from cutgate.jobs.record import Claim, ErrorFacts, Result
from cutgate.jobs.spec import CutoutSpec, Lane, ModelChoice, lane_of
from cutgate.signing import parse_body, sign_params
from tests.fakes import MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.gateway.on_loop import LoopClient
from tests.ledgers import FreshLedger, ReadableLedger, fresh_key_table, fresh_presence, fresh_sessions, hints_of

PUBLIC_KEY, PRIVATE_KEY = "abcdefg", "123456"
MASTER_KEY = base64.b64encode(bytes(range(32))).decode("ascii")
ACCOUNT = "tester"

Answer = dict[str, Any]
T = TypeVar("T")

UNHURRIED = {
    "submits_per_second": 1_000,
    "polls_per_second": 1_000,
    "failed_signatures_per_minute": 1_000,
}
"""Rates that a test does not reach unless it means to."""


@functools.cache
def make_settings(**changes: Any) -> GatewaySettings:
    """Settings that do not depend on the environment's."""
    return GatewaySettings(master_key=MASTER_KEY, **UNHURRIED | changes)


def there(found: T | None) -> T:
    """What must have been found."""
    assert found is not None
    return found


@dataclass(kw_only=True)
class Harness:
    """The parts, the application made of them, and what it hinted."""

    settings: GatewaySettings
    accounts: Accounts
    store: ReadableLedger
    events: TaskEvents
    presence: Presence = field(default_factory=fresh_presence)
    blobs: BlobStore = field(default_factory=MemoryBlobStore)

    @functools.cached_property
    def app(self) -> Flask:
        """The application, made when it is first asked."""
        return self.make_app(self.settings)

    @property
    def lane(self) -> Lane:
        """Where pictures wait for the installation's own model."""
        return lane_of(CutoutSpec(model=self.settings.model))

    @property
    def hints(self) -> list[Lane]:
        """The lanes that workers were told of."""
        return hints_of(self.store)

    def make_app(self, settings: GatewaySettings, **parts: Any) -> Flask:
        """The application, with other settings or parts."""
        sessions = parts.pop("sessions", None) or fresh_sessions()
        app = create_app(self.parts(settings, **parts), sessions)
        app.test_client_class = LoopClient
        app.config["SETTINGS"] = settings
        return app

    def parts(self, settings: GatewaySettings | None = None, **others: Any) -> Parts:
        """What façades work with, with other settings or parts."""
        own: dict[str, Any] = {"accounts": self.accounts, "store": self.store, "events": self.events}
        return Parts.of(
            settings or self.settings, **own | {"presence": self.presence, "blobs": self.blobs} | others
        )

    def with_settings(self, **changes: Any) -> Self:
        """The same gateway with other settings."""
        return replace(self, settings=make_settings(**changes))

    def open(self, path: str, *, method: str = "GET", **options: Any) -> TestResponse:
        """Send an HTTP request."""
        return self.client().open(path, method=method, **options)

    def client(self) -> FlaskClient:
        """What sends several requests."""
        return self.app.test_client()

    def post(self, body: bytes | str, **options: Any) -> TestResponse:
        """Send a body to `/` as it is."""
        return self.open("/", data=body, **{"method": "POST", "content_type": "application/json"} | options)

    def add_pair(self, account: str, **given: Any) -> KeyPair:
        """A key pair of an account, which is made if it is not there."""
        return Credentials(self.accounts).add_pair(account, **given)

    def with_pair(self) -> Self:
        """This gateway, once the usual key pair is there."""
        self.add_pair(ACCOUNT, public_key=PUBLIC_KEY, private_key=PRIVATE_KEY)
        return self

    def rotate_pair(self, public_key: str, **given: Any) -> KeyPair:
        """One more private key of a pair."""
        return Credentials(self.accounts).rotate(public_key, **given)

    def revoke_pair(self, public_key: str) -> None:
        Credentials(self.accounts).revoke(public_key)

    def add_api_key(self, account: str) -> str:
        """An API key of an account, which is made if it is not there."""
        return Credentials(self.accounts).add_api_key(account)

    def revoke_api_key(self, api_key: str) -> None:
        Credentials(self.accounts).revoke(api_key)

    def call(self, action: str, private_key: str = PRIVATE_KEY, **fields: Any) -> Answer:
        """Sign a request and send it; a field that is None is sent as null."""
        params = {"Action": action, "PublicKey": PUBLIC_KEY, **fields}
        return self.answer(self.post(json.dumps(signed(params, private_key))))

    def call_text(self, members: str) -> Answer:
        """Sign and send a request whose members are given as JSON text, so that numbers keep theirs."""
        text = f'{{"PublicKey":"{PUBLIC_KEY}",{members}}}'
        signature = sign_params(parse_body(text), PRIVATE_KEY)
        return self.answer(self.post(f'{text[:-1]},"Signature":"{signature}"}}'))

    def code(self, body: bytes | str, **options: Any) -> int:
        """What a body is answered with, whatever its HTTP status."""
        return int(self.post(body, **options).get_json()["RetCode"])

    @staticmethod
    def answer(response: TestResponse) -> Answer:
        """The answer's members; every answer of the protocol has HTTP status 200."""
        assert response.status_code == 200, response.data
        answer = response.get_json()
        assert isinstance(answer, dict)
        return answer

    def _accepted(self, action: str, **fields: Any) -> str:
        answer = self.call(action, **fields)
        assert answer["RetCode"] == 0, answer
        return str(answer["TaskUID"])

    def submit(self, **fields: Any) -> str:
        """Have one picture accepted."""
        return self._accepted("RemoveBackground", **{"RawImage": pictures.BASE64_8X8, **fields})

    def submit_for(self, owner: KeyPair) -> str:
        """Have one picture of another account accepted."""
        return self.submit(private_key=owner.private_key, PublicKey=owner.public_key)

    def submit_batch(self, count: int = 2, **fields: Any) -> str:
        """Have a batch of pictures accepted."""
        return self._accepted("RemoveBackgroundsInBatch", **{"RawImages": [pictures.BASE64_8X8] * count, **fields})

    @staticmethod
    def signed_picture(source: str) -> dict[str, Any]:
        """A signed request for one picture."""
        return signed({"Action": "RemoveBackground", "PublicKey": PUBLIC_KEY, "RawImage": source})

    @staticmethod
    def signed_list(*uids: str) -> dict[str, Any]:
        """A signed request for tasks."""
        return signed({"Action": "ListTasksDetails", "PublicKey": PUBLIC_KEY, "TaskUIDList": list(uids)})

    def detail(self, uid: str, **fields: Any) -> Answer:
        """A task's entry in `ListTasksDetails`."""
        answer = self.call("ListTasksDetails", TaskUIDList=[uid], **fields)
        assert answer["RetCode"] == 0, answer
        (entry,) = answer["TaskDetailList"]
        assert isinstance(entry, dict)
        return entry

    def claim(self) -> Claim:
        """Take the next item as a worker does."""
        return there(self.store.claims.take([self.lane], "worker", new_token()))

    def finish_one(self, data: bytes = b"result", **facts: Any) -> Result:
        """Do the next item as a worker does."""
        return self.finish(self.claim(), data, **facts)

    def finish(self, claim: Claim, data: bytes = b"result", **facts: Any) -> Result:
        """Do a claimed item as a worker does; `facts` of its result count before the usual ones."""
        key = result_key(claim.task, claim.index, claim.token)
        self.blobs.put(key, data)
        usual: dict[str, Any] = {"media_type": "image/png", "width_px": 8, "height_px": 8, "confidence": 0.87}
        result = Result(blob=key, size_bytes=len(data), **usual | facts)
        assert self.store.claims.finish(claim, result)
        return result

    def fail_one(self, error: ErrorFacts) -> None:
        """Let the next item fail as a worker does."""
        assert self.store.claims.fail(self.claim(), error)

    def offer(self, choice: ModelChoice | None = None, owner: str = "w-1") -> None:
        """Let a worker offer a model; the installation's own when absent."""
        choice = choice or self.settings.choice
        worker = WorkerPresence(
            owner=owner, lane=choice.lane, model=choice.model, engine="e", provider="p", dtype="fp32", threads=1
        )
        self.presence.announce(worker, ttl_seconds=10)

    @property
    def offers(self) -> Offers:
        """The models that can be asked for."""
        return self.parts().submissions.offers

    def readiness(self) -> Answer:
        """What the operator reads at `/readyz`."""
        answer = operators_page(Readiness(self.parts(), self.blobs.check))
        return {"status": answer.status_code, **answer.get_json()}

    @property
    def tasks(self) -> Tasks:
        """What shows tasks and knows the paths of their results."""
        return self.parts().tasks

    def stored(self) -> tuple[BlobKey, ...]:
        """The blobs that are there; of a store in memory."""
        assert isinstance(self.blobs, MemoryBlobStore)
        return self.blobs.keys()

    def assert_nothing_left(self) -> None:
        """No blob, no waiting work and no hint: what a refusal leaves."""
        assert self.stored() == ()
        assert self.store.waiting(self.lane) == 0
        assert self.hints == []


def make_harness(
    settings: GatewaySettings | None = None,
    *,
    store: FreshLedger | None = None,
    blobs: MemoryBlobStore | None = None,
) -> Harness:
    """A gateway without accounts, on an empty ledger unless one is given."""
    settings = settings or make_settings()
    store = store or FreshLedger(settings.ledger_limits())
    accounts = Accounts(fresh_key_table(store.key_prefix), settings.master_keys())
    return Harness(
        settings=settings, accounts=accounts, store=store, events=store.events, blobs=blobs or MemoryBlobStore()
    )


def signed(params: Mapping[str, Any], private_key: str = PRIVATE_KEY) -> dict[str, Any]:
    """Parameters with their signature."""
    return {**params, "Signature": sign_params(params, private_key)}
