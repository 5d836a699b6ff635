"""Small pictures whose right mask is known: a dark rectangle on light ground, elsewhere in each of them."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError
from typing_extensions import override

from tests.servers.relay import served

Rgb: TypeAlias = tuple[int, int, int]
Mask: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

WIDTH_PX: Final = 96
HEIGHT_PX: Final = 64
_GROUND: Final = (236, 234, 228)
SUBJECT: Final = (24, 20, 28)
_GRID_PX: Final = 8
_BLUR_PX: Final = 3
"""The network's own resolution is lower, so so many pixels on either side of an edge may be anything."""


class Effect(Enum):
    """What a picture does to its worker: the colour of its first pixel tells the stand-in."""

    NONE = _GROUND
    POISON = (255, 0, 0)
    HANG = (0, 0, 255)
    RAISE = (0, 255, 0)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what is right about its result."""

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int
    only_mask: bool
    effect: Effect

    def png(self) -> bytes:
        pixels = np.full((HEIGHT_PX, WIDTH_PX, 3), _GROUND, np.uint8)
        pixels[self.top_px : self.bottom_px, self.left_px : self.right_px] = SUBJECT
        pixels[0, 0] = self.effect.value
        return _encode(pixels)

    def fits(self, result: bytes) -> bool:
        """Whether a result is this picture's and whole: its size, its channels, its mask."""
        try:
            with Image.open(io.BytesIO(result)) as opened:
                opened.load()
                mode, size = opened.mode, opened.size
                alpha = np.asarray(opened.getchannel(opened.getbands()[-1]))
        except (OSError, UnidentifiedImageError):
            return False
        if (mode, size) != ("L" if self.only_mask else "RGBA", (WIDTH_PX, HEIGHT_PX)):
            return False
        inside, outside = self.surely()
        return bool(alpha[inside].min() > 200 and alpha[outside].max() < 55)

    def surely(self) -> tuple[Mask, Mask]:
        """Where the subject surely is, and where it surely is not."""
        inside, outside = np.zeros((HEIGHT_PX, WIDTH_PX), bool), np.ones((HEIGHT_PX, WIDTH_PX), bool)
        inside[self._rows(-_BLUR_PX), self._columns(-_BLUR_PX)] = True
        outside[self._rows(_BLUR_PX), self._columns(_BLUR_PX)] = False
        return inside, outside

    def _rows(self, grown_px: int) -> slice:
        return slice(self.top_px - grown_px, self.bottom_px + grown_px)

    def _columns(self, grown_px: int) -> slice:
        return slice(self.left_px - grown_px, self.right_px + grown_px)


def picture(number: int, effect: Effect = Effect.NONE) -> Picture:
    """The picture of a job; those of neighbouring numbers differ."""
    width_px, height_px = (24, 32, 40)[number % 3], (16, 24)[number % 2]
    column, row = number * 7 % 5, number * 5 % 3
    left_px, top_px = _GRID_PX * (1 + column), _GRID_PX * (1 + row)
    return Picture(left_px, top_px, left_px + width_px, top_px + height_px, number % 4 > 0, effect)


def _encode(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


_PAUSE_SECONDS: Final = 0.1
"""Before each answer: time in which faults meet the fetch."""
_SIDE_PX: Final = 16


@contextmanager
def backgrounds() -> Iterator[str]:
    """Serve as long as the block lasts; the server's URL."""
    with served(ThreadingHTTPServer(("127.0.0.1", 0), _Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    _over = threading.Event()

    def do_GET(self) -> None:
        self._over.wait(_PAUSE_SECONDS)
        file = io.BytesIO()
        path, _, side_px = self.path.partition("?")
        size_px = (int(side_px or _SIDE_PX),) * 2
        Image.new("RGB", size_px, tuple(bytes.fromhex(path[1:]))).save(file, "PNG")
        with suppress(ConnectionError):  # the courier is killed while it reads
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(file.getvalue())))
            self.end_headers()
            self.wfile.write(file.getvalue())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
