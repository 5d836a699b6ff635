"""Names of tasks and blobs: made, parsed, and safe as part of a path."""

import base64
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Final, NewType, Self

from pydantic_core import core_schema

TaskUid = NewType("TaskUid", str)
"""20 characters `0-9a-v`: 4 bytes of Unix seconds and 8 random bytes in base32-hex without padding."""

MATTE: Final = "matte"
"""The role of a kept mask whose grey is alpha, and no doubt."""

_TASK_UID: Final = re.compile(r"[0-9a-v]{19}[0g]")
_ROLE: Final = re.compile(r"[a-z]{1,16}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TIME_BYTES: Final = 4
_RANDOM_BYTES: Final = 8
_MAX_INDEX: Final = 999_999
_UUID_MIDDLE: Final = b"\x40\x00\x80\x00"
"""Version 4 and the variant of RFC 9562, and no further bits: the middle third of an image's UUID."""


def new_task_uid(now_seconds: float | None = None) -> TaskUid:
    """Make an id that sorts by its Unix time, is unique over all processes, and cannot be guessed."""
    seconds = int(time.time() if now_seconds is None else now_seconds)
    return _uid(seconds.to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_RANDOM_BYTES))


def parse_task_uid(text: str) -> TaskUid:
    """Check that a text from outside has the form of a task id.

    Raises:
        ValueError: it has not.
    """
    if not _TASK_UID.fullmatch(text):
        raise ValueError("not a task id")
    return TaskUid(text)


def made_at_seconds(uid: TaskUid) -> int:
    """The Unix time at which an id was made."""
    return int.from_bytes(_raw(uid)[:_TIME_BYTES], "big")


def image_uuid(uid: TaskUid) -> uuid.UUID:
    """The UUID that stands for the picture of an upload, or of a task with one item.

    It holds the id itself, so nobody needs a table to find the one from the other. Clients check for version 4.
    """
    raw = _raw(uid)
    return uuid.UUID(bytes=raw[:6] + _UUID_MIDDLE + raw[6:])


def uid_of_image(image: uuid.UUID) -> TaskUid | None:
    """The inverse of `image_uuid`; None for a UUID that it never made."""
    raw = image.bytes
    return _uid(raw[:6] + raw[10:]) if raw[6:10] == _UUID_MIDDLE else None


def _uid(raw: bytes) -> TaskUid:
    return TaskUid(base64.b32hexencode(raw).decode("ascii").rstrip("=").lower())


def _raw(uid: TaskUid) -> bytes:
    """The 12 bytes of an id: its digits are Python's for base 32, the last 4 bits padding."""
    return (int(uid, 32) >> 4).to_bytes(_TIME_BYTES + _RANDOM_BYTES, "big")


def new_token() -> str:
    """Make a fresh token for a claim or a blob: 16 random bytes, safe in a path."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobKey:
    """Where a blob lies: `<task>/<item>/<role>-<token>`. Never named by content, never shared."""

    task: TaskUid
    index: int
    role: str
    token: str

    def __post_init__(self) -> None:
        parse_task_uid(self.task)
        if not 0 <= self.index <= _MAX_INDEX or not _ROLE.fullmatch(self.role) or not _TOKEN.fullmatch(self.token):
            raise ValueError("not a blob key")

    def __str__(self) -> str:
        return f"{self.task}/{self.index}/{self.role}-{self.token}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> core_schema.CoreSchema:
        """In records it is stored in the form that `str` gives."""
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the form that `str` gives.

        Raises:
            ValueError: it is not that form.
        """
        try:
            task, index, name = text.split("/")
            role, token = name.split("-", 1)
            key = cls(task=TaskUid(task), index=int(index), role=role, token=token)
        except ValueError:
            raise ValueError("not a blob key") from None
        if str(key) != text:
            raise ValueError("not a blob key")
        return key


def source_key(task: TaskUid, index: int, token: str | None = None) -> BlobKey:
    """A fresh key for the picture that a caller sent, or by an errand's token that of what one courier fetched.

    Another taking of the same errand writes elsewhere.
    """
    return BlobKey(task=task, index=index, role="source", token=token or new_token())


def result_key(task: TaskUid, index: int, claim_token: str) -> BlobKey:
    """The key of what one claim produced; another claim of the same item writes elsewhere."""
    return BlobKey(task=task, index=index, role="result", token=claim_token)


def background_key(task: TaskUid, index: int, token: str) -> BlobKey:
    """The key of the picture behind the subject: a fresh token for what a caller sent, else the courier's own."""
    return BlobKey(task=task, index=index, role="background", token=token)


def mask_key(task: TaskUid, index: int, token: str, *, is_matte: bool) -> BlobKey:
    """The key of the mask that a cut-out was made from, or of the alpha matte, of models that give one."""
    return BlobKey(task=task, index=index, role=MATTE if is_matte else "mask", token=token)


def upload_key(upload: TaskUid) -> BlobKey:
    """A fresh key for a picture that is kept for later use."""
    return BlobKey(task=upload, index=0, role="upload", token=new_token())
