"""Requests as they go over the wire, made and signed before any clock starts."""

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from cutgate.pictures import file_of
from cutgate.signing import Signable, sign_params

_HEAD: Final = (
    "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Account:
    """The keys of an account."""

    public_key: str
    private_key: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of random pixels, square."""

    side_px: int

    def data(self) -> bytes:
        """Its bytes: noise, which nothing compresses, so that the side decides the size."""
        return _png(self.side_px)

    def text(self) -> bytes:
        """Its Base64, held once for all requests with it."""
        return _base64(self.side_px)


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the picture in its middle is shared between requests."""

    head: bytes
    picture: bytes
    tail: bytes

    @property
    def body(self) -> bytes:
        """What stands behind the head's empty line."""
        return self.head.partition(b"\r\n\r\n")[2] + self.picture + self.tail


def removal(account: Account, picture: Picture, **fields: Signable) -> Request:
    """PICPIK's `RemoveBackground`, with an id of its own."""
    return signed(account, "RemoveBackground", fields, picture)


def signed(
    account: Account, action: str, fields: Mapping[str, Signable], picture: Picture | None = None
) -> Request:
    others: dict[str, Signable] = {
        "Action": action,
        "PublicKey": account.public_key,
        "request_uuid": str(uuid.uuid4()),
        **fields,
    }
    if picture is None:
        others["Signature"] = sign_params(others, account.private_key)
        return _request("/", "", b"", b"", json.dumps(others).encode())
    others["Signature"] = sign_params({**others, "RawImage": picture.text().decode()}, account.private_key)
    return _request("/", "", b'{"RawImage":"', picture.text(), f'",{json.dumps(others)[1:]}'.encode())


def runware_removal(account: Account, picture: Picture) -> Request:
    """Runware's removal over HTTP, that is not waited for."""
    task = {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": str(uuid.uuid4()),
        "deliveryMethod": "async",
    }
    bearer = f"Authorization: Bearer {account.api_key}\r\n"
    tail = f'",{json.dumps(task)[1:]}]'.encode()
    return _request("/v1", bearer, b'[{"inputImage":"', picture.text(), tail)


def waiting_removal(account: Account, picture: Picture) -> Request:
    """A cut-out over HTTP that is waited for."""
    return _request(
        "/v1.0/removebg", f"X-Api-Key: {account.api_key}\r\n", b'{"image_file_b64":"', picture.text(), b'"}'
    )


def details(account: Account, uids: Sequence[str]) -> Request:
    return signed(account, "ListTasksDetails", {"TaskUIDList": list(uids)})


def _request(path: str, headers: str, front: bytes, middle: bytes, back: bytes) -> Request:
    head = _HEAD.format(path, headers, len(front) + len(middle) + len(back))
    return Request(head.encode() + front, middle, back)


@cache
def _png(side_px: int) -> bytes:
    return file_of(np.random.default_rng(0).integers(0, 256, (side_px, side_px, 3), np.uint8))


@cache
def _base64(side_px: int) -> bytes:
    return base64.b64encode(_png(side_px))
