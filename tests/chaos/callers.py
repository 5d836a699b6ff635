"""Callers of remove.bg's protocol, who repeat their request until its answer is a picture."""

import hashlib
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Final

import httpx
import numpy as np
from PIL import Image, UnidentifiedImageError
from typing_extensions import override

from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ledger.keys import KEY_PREFIX
from tests.chaos.pictures import HEIGHT_PX, SUBJECT, WIDTH_PX, Picture, Rgb, picture
from tests.chaos.service import Service

CALLERS: Final = 6
"""As many pictures are under way."""
_PATIENCE_SECONDS: Final = 360
"""A courier that is killed keeps what it fetches for its lease of 90 s, and the next one may be killed, too."""
_PAUSE_SECONDS: Final = 0.2
_NEAR: Final = 40
"""What a level may be off."""
_AGAIN: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class OverBackground(Picture):
    """A picture whose cut-out lies over a plain colour that no other has."""

    number: int

    @property
    def ground(self) -> Rgb:
        return 120 + self.number % 100, 160, 120 + self.number // 100

    @override
    def fits(self, result: bytes) -> bool:
        """Whether a result is this picture's over this background."""
        try:
            with Image.open(io.BytesIO(result)) as opened:
                pixels = np.asarray(opened.convert("RGB")).astype(int)
        except (OSError, UnidentifiedImageError):
            return False
        if pixels.shape != (HEIGHT_PX, WIDTH_PX, 3):
            return False
        inside, outside = self.surely()
        ground = tuple(np.median(pixels[outside], axis=0))
        return ground == self.ground and bool(np.abs(pixels[inside] - SUBJECT).max() < _NEAR)


def hold(service: Service, job_count: int, account: str) -> dict[TaskUid, Picture]:
    """Send all pictures, a bounded number at a time, and wait for each."""
    key = service.add_api_key(account)
    pictures = [OverBackground(**asdict(picture(number)), number=number) for number in range(job_count)]
    with httpx.Client(base_url=service.url, headers={"X-Api-Key": key}, timeout=30) as client:

        def send(one: OverBackground) -> bytes:
            behind = f"{service.backgrounds_url}/{bytes(one.ground).hex()}"
            return _patiently(client, {"bg_image_url": behind, "format": "png"}, {"image_file": one.png()})

        with ThreadPoolExecutor(CALLERS) as threads:
            answers = list(threads.map(send, pictures))
    found = {hashlib.sha256(answer).digest(): one for answer, one in zip(answers, pictures, strict=True)}
    assert len(found) == job_count
    return {uid: found[digest] for uid, digest in _results(service, account) if digest in found}


def _patiently(client: httpx.Client, fields: dict[str, str], files: dict[str, bytes]) -> bytes:
    """The picture, however often the request must be sent: what is the same joins what goes on."""
    until_seconds = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            answer = client.post("/v1.0/removebg", data=fields, files=files)
        except httpx.TransportError:
            answer = httpx.Response(503)
        if answer.is_success:
            assert answer.headers["X-Credits-Charged"] == "0.25"
            return answer.content
        assert answer.status_code in _AGAIN, answer.text
        assert time.monotonic() < until_seconds, answer.text
        time.sleep(_PAUSE_SECONDS)


def _results(service: Service, account: str) -> Iterator[tuple[TaskUid, bytes]]:
    """An account's tasks that have results, with the digests of these."""
    blobs = FileBlobStore(service.blob_dir)
    for name in service.client.scan_iter(match=f"{KEY_PREFIX}task:*", count=1000):
        uid = TaskUid(str(name).rpartition(":")[2])
        task = service.ledger.tasks.get(uid, account)
        if task is not None and (result := task.items[0].result) is not None:
            yield uid, hashlib.sha256(blobs.get(result.blob)).digest()
