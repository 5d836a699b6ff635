"""A gateway of real parts in memory, and a caller with an API key; a worker on a network that is a function."""

import io
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from cutgate.gateway.runware.messages.rendering import Rendering, renderers
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.limits import SourceLimits
from cutgate.jobs.record import Task
from cutgate.jobs.spec import CutoutSpec, Lane
from cutgate.worker.process.health import Health
from cutgate.worker.process.runner import Runner
from tests.fakes import ManualClock, MemoryBlobStore
from tests.gateway import picture_files as pictures
from tests.gateway.harness import make_harness, make_settings, there
from tests.ledgers import FreshLedger, stored_item

Bytes = npt.NDArray[np.uint8]
Item = dict[str, Any]

ACCOUNT = "shop"
TINY_PICTURE = pictures.data_uri(pictures.png())
"""Black, 8 x 8 pixels."""
QUICK = {"runware_sync_seconds": 0.2, "usd_per_credit": 0.0006}


def dark(image: Bytes) -> Bytes:
    """A network that finds what is dark; a brightness of 0 is 255, one of 255 is 0."""
    return np.asarray(255 - image.mean(axis=2), np.uint8)


def png(pixels: Bytes) -> bytes:
    """Pixels as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pixels_of(data: bytes) -> Bytes:
    """A file's pixels as they are stored."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def new_uuid() -> str:
    return str(uuid.uuid4())


def removal(image: str = TINY_PICTURE, **fields: Any) -> Item:
    """A task of the old form."""
    return {"taskType": "imageBackgroundRemoval", "taskUUID": new_uuid(), "inputImage": image, **fields}


def new_removal(image: str = TINY_PICTURE, **fields: Any) -> Item:
    """A task of the new form."""
    item = {"taskType": "removeBackground", "taskUUID": new_uuid(), "model": "runware:109@1"}
    return {**item, "inputs": {"image": image}, **fields}


def poll(task: Mapping[str, Any]) -> Item:
    return {"taskType": "getResponse", "taskUUID": task["taskUUID"]}


def upload(image: str = TINY_PICTURE, **fields: Any) -> Item:
    """A picture to be kept."""
    return {"taskType": "imageUpload", "taskUUID": new_uuid(), "image": image, **fields}


def storage(operation: str, media: str, **fields: Any) -> Item:
    """The newer form of keeping and deleting."""
    return {"taskType": "mediaStorage", "taskUUID": new_uuid(), "operation": operation, "media": media, **fields}


def details(task: Mapping[str, Any]) -> Item:
    """A question for what a task was, and what came of it."""
    return poll(task) | {"taskType": "getTaskDetails"}


def authentication(api_key: object) -> Item:
    """What goes first, where no header has the key."""
    return {"taskType": "authentication", "apiKey": api_key}


@contextmanager
def repeating(work: Callable[[], bool]) -> Iterator[None]:
    """Do something again and again in a thread, with a break whenever there was nothing to do."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            if not work():
                stop.wait(0.005)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass
class Service:
    """The gateway, and its one account with an API key."""

    settings: GatewaySettings
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.store, self.blobs = FreshLedger(self.settings.ledger_limits(), self.clock), MemoryBlobStore()
        self.harness = make_harness(self.settings, store=self.store, blobs=self.blobs)
        self.accounts = self.harness.accounts
        self.api_key = self.harness.add_api_key(ACCOUNT)
        self.rendering = Rendering(
            tasks=self.harness.tasks,
            blobs=self.blobs,
            usd_per_credit=self.settings.usd_per_credit,
            upload_retention_seconds=self.settings.upload_retention_seconds,
        )
        self.runner = Runner(
            store=self.store,
            blobs=self.blobs,
            health=Health(self.store, self.blobs),
            predict_for=lambda _: dark,
            owner="worker",
            limits=SourceLimits(max_bytes=2**22, max_pixels=10**6, max_side_px=2_000),
            beat_seconds=1,
        )

    @property
    def app(self) -> Flask:
        return self.harness.app

    def end_key(self, how: str) -> None:
        """End the account's API key: it is `revoked`, or the account `suspended`."""
        if how == "revoked":
            self.harness.revoke_api_key(self.api_key)
        else:
            self.accounts.change(ACCOUNT, active=False)

    def post(self, body: object, *, api_key: str | None = "", path: str = "/v1", **options: Any) -> TestResponse:
        """Send a body: a text as it is, all else as JSON; with this key, the account's, or (None) without one."""
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key or self.api_key}"}
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        options = {"content_type": "application/json", "headers": headers} | options
        return self.harness.open(path, method="POST", data=data, **options)

    def answer(self, *tasks: Item, **options: Any) -> Item:
        """The answer to tasks; of a request in which something succeeded."""
        response = self.post(list(tasks), **options)
        assert response.status_code == 200, response.data
        answer = response.get_json()
        assert isinstance(answer, dict)
        return answer

    def result(self, task: Item, **options: Any) -> Item:
        """The one result of one task."""
        answer = self.answer(task, **options)
        assert set(answer) == {"data"}, answer
        [item] = answer["data"]
        assert isinstance(item, dict)
        return item

    def error(self, task: object, status: int = 400, **options: Any) -> Item:
        """The one error of one task, or of a request."""
        response = self.post([task] if isinstance(task, dict) else task, **options)
        answer = response.get_json()
        assert response.status_code == status, answer
        assert set(answer) <= {"errors", "error"}
        [item] = answer["errors"]
        assert isinstance(item, dict)
        return item

    def working(self) -> AbstractContextManager[None]:
        """A worker that does what comes until the block ends."""
        return repeating(self.work_once)

    def work_once(self) -> bool:
        """Do the next item; False where none waits."""
        return self.runner.run_one([self.lane])

    @property
    def lane(self) -> Lane:
        return self.harness.lane

    def task_of(self, task: Mapping[str, Any]) -> Task:
        uid = there(self.store.tasks.poll_named(f"runware:{task['taskUUID']}", ACCOUNT)[0].first)
        return there(self.store.tasks.get(uid, ACCOUNT))

    def spec(self, **fields: Any) -> CutoutSpec:
        """What the core is told to do for a task of these fields."""
        task = removal(deliveryMethod="async", **fields)
        self.result(task)
        return stored_item(self.store, self.task_of(task).uid).spec

    def callback(self, task: Mapping[str, Any]) -> Item:
        """The body of a task's callback, as a courier makes it."""
        record = self.task_of(task)
        body: Item = json.loads(renderers(self.rendering, self.settings.public_url)[record.origin](record))
        return body

    def download(self, url: str) -> TestResponse:
        return self.harness.open(url)


def make_service(**changes: Any) -> Service:
    return Service(make_settings(**QUICK | changes))
