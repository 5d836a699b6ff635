"""A gateway of real parts, and a caller of remove.bg's protocol; its worker ends items as a test says."""

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from cutgate.jobs.ids import new_token
from cutgate.jobs.record import ErrorFacts
from cutgate.jobs.spec import Box, CutoutSpec
from tests.gateway import picture_files as pictures
from tests.gateway.harness import make_settings, there
from tests.gateway.runware.service import ACCOUNT, Service, repeating

__all__ = ["ACCOUNT"]

PATH = "/v1.0/removebg"
TINY = pictures.png(40, 30)
TINY_B64 = base64.b64encode(TINY).decode()
LARGE = pictures.png(900, 700)
"""More than a preview has."""
FORMS = ("multipart", "urlencoded", "json")
RESULT: dict[str, Any] = {
    "width_px": 40,
    "height_px": 30,
    "full_width_px": 40,
    "full_height_px": 30,
    "foreground": Box(left_px=3, top_px=5, right_px=23, bottom_px=20),
}
"""What a worker says of a cut-out of `TINY`."""
QUICK = {"removebg_sync_seconds": 0.05}
"""For requests that nobody works on."""


@dataclass
class RemoveBg(Service):
    """The gateway, and its one account with an API key."""

    def send(
        self,
        form: str = "multipart",
        *,
        headers: Mapping[str, str] | None = None,
        path: str = PATH,
        has_picture: bool = True,
        **fields: Any,
    ) -> TestResponse:
        """Send fields in one of the three forms; beside others a picture of 40 x 30 pixels, unless without one."""
        if has_picture and not any(value and name.startswith("image_") for name, value in fields.items()):
            fields |= {"image_file": TINY} if form == "multipart" else {"image_file_b64": TINY_B64}
        options: dict[str, Callable[[], dict[str, Any]]] = {
            "multipart": lambda: _multipart(fields),
            "urlencoded": lambda: {
                "data": urlencode(fields),
                "content_type": "application/x-www-form-urlencoded",
            },
            "json": lambda: {"data": json.dumps(fields), "content_type": "application/json"},
        }
        return self.open(path, method="POST", headers=headers, **options[form]())

    def open(self, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> TestResponse:
        """Send anything, with the account's key unless the headers have one."""
        known = {"X-Api-Key": self.api_key} | dict(headers or {})
        return self.harness.open(path, headers=known, **options)

    def error(self, status: int = 400, form: str = "multipart", **fields: Any) -> dict[str, str]:  # type: ignore[override]
        """The one error of a request."""
        return error_of(self.send(form, **fields), status)

    def spec(self, form: str = "multipart", **fields: Any) -> CutoutSpec:
        """What the core is told to do."""
        answer = self.send(form, **fields)
        assert error_of(answer, 429)["code"] == "result_not_ready", answer.data
        return self.harness.claim().spec

    def answering(self, data: bytes = b"result", **facts: Any) -> AbstractContextManager[None]:
        """A worker that ends what comes with a result, until the block ends."""

        def work() -> bool:
            claim = self.store.claims.take([self.lane], "worker", new_token())
            return claim is not None and bool(self.harness.finish(claim, data, **RESULT | facts))

        return repeating(work)

    def failing(self, kind: str, message: str = "it is so", **details: Any) -> AbstractContextManager[None]:
        """A worker that fails at what comes."""

        def work() -> bool:
            claim = self.store.claims.take([self.lane], "worker", new_token())
            facts = ErrorFacts(kind=kind, message=message, details=details)
            return claim is not None and self.store.claims.fail(claim, facts)

        return repeating(work)

    def done(self, form: str = "multipart", **fields: Any) -> TestResponse:
        """The answer with a picture, from a worker that is there."""
        with self.answering():
            answer = self.send(form, **fields)
        assert answer.status_code == 200, answer.data
        return answer

    def stored_pictures(self) -> list[bytes]:
        """The pictures that lie here."""
        return [self.blobs.get(key) for key in self.harness.stored()]

    def count(self) -> int:
        """How many tasks were accepted and have not ended."""
        return len(self.store.tasks.unfinished(ACCOUNT))


def _multipart(fields: Mapping[str, object]) -> dict[str, Any]:
    boundary, data = encode_multipart({name: _part(value) for name, value in fields.items()})
    return {"data": data, "content_type": f"multipart/form-data; boundary={boundary}"}


def _part(value: object) -> object:
    return FileStorage(BytesIO(value), "image.png") if isinstance(value, bytes) else str(value)


def error_of(answer: TestResponse, status: int) -> dict[str, str]:
    """The one error of an answer, in the form that every client reads."""
    assert answer.status_code == status, answer.data
    assert answer.content_type == "application/json; charset=utf-8"
    body = json.loads(answer.data)
    assert list(body) == ["errors"]
    [error] = body["errors"]
    assert list(error) == ["title", "detail", "code"]
    assert all(isinstance(value, str) and value for value in error.values())
    return dict(error)


def make_removebg(**changes: Any) -> RemoveBg:
    return RemoveBg(make_settings(**QUICK | changes))


def patient(**changes: Any) -> RemoveBg:
    """One whose callers wait long enough for any result."""
    return make_removebg(**{"removebg_sync_seconds": 20, **changes})


def code_of(answer: TestResponse) -> str:
    return str(there(answer.get_json())["errors"][0]["code"])
