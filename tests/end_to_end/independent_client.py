"""A client of PICPIK's API written from its reference alone: standard library, and nothing of this project.

If this works, so does a client that somebody else wrote.
"""

import base64
import hashlib
import json
import time
import urllib.request
import uuid
from typing import Any

Answer = dict[str, Any]


def text_of(value: Any) -> str:
    """A value as the signature sees it: words for booleans, whole numbers without fraction, arrays joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return "".join(text_of(element) for element in value)
    if isinstance(value, dict):
        return "".join(name + text_of(value[name]) for name in sorted(value))
    return str(value)


def signature(params: Answer, private_key: str) -> str:
    """SHA-1 over names and values in the order of names, then the private key."""
    return hashlib.sha1((text_of(params) + private_key).encode("utf-8")).hexdigest()


class IndependentClient:
    def __init__(self, url: str, public_key: str, private_key: str) -> None:
        self.url, self.public_key, self.private_key = url, public_key, private_key

    def call(self, action: str, **params: Any) -> Answer:
        """One action; the answer as it came, whatever its RetCode."""
        body: Answer = {
            "Action": action,
            "PublicKey": self.public_key,
            "request_uuid": str(uuid.uuid4()),
            **params,
        }
        body["Signature"] = signature(body, self.private_key)
        request = urllib.request.Request(
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            parsed: Answer = json.load(answer)
        assert parsed["request_uuid"] == body["request_uuid"]
        assert parsed["Action"] == action
        return parsed

    def ended(self, uid: str, timeout_seconds: float = 120) -> Answer:
        """Poll a task until it has ended, as the reference's clients do: every half second."""
        ends_at = time.monotonic() + timeout_seconds
        while time.monotonic() < ends_at:
            [detail] = self.call("ListTasksDetails", TaskUIDList=[uid])["TaskDetailList"]
            if detail["Status"] in ("Finished", "Error"):
                return dict(detail)
            time.sleep(0.5)
        raise TimeoutError(uid)

    @staticmethod
    def download(url: str) -> bytes:
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.headers["Content-Type"] == "image/png"
            data: bytes = answer.read()
        return data


def data_uri(picture: bytes) -> str:
    """A JPEG as the published examples carry it."""
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
