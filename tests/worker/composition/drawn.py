"""A drawn cut-out: an oval with a soft edge, a half-transparent window, thin strands above and a stem below."""

import cv2
import numpy as np

from cutgate.worker.cutout.raster.arrays import Bytes, RgbaImage

HEIGHT_PX, WIDTH_PX = 150, 200
_FINE = 8
"""So many times larger it is drawn."""


def drawn() -> RgbaImage:
    """(150, 200, 4) with straight alpha."""
    fine = np.zeros((HEIGHT_PX * _FINE, WIDTH_PX * _FINE), np.uint8)
    for strand in range(7):
        cv2.line(fine, _at(75, 30), _at(48 + 9 * strand, 10), 255, _FINE)
    cv2.ellipse(fine, _at(75, 70), _at(35, 45), 0, 0, 360, 255, -1)
    cv2.rectangle(fine, _at(70, 100), _at(80, 135), 255, -1)
    cv2.ellipse(fine, _at(75, 70), _at(15, 20), 0, 0, 360, 128, -1)
    alpha = cv2.GaussianBlur(cv2.resize(fine, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), (0, 0), 0.8)
    rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    pixels = np.dstack([np.full_like(rows, 200), rows * 255 // HEIGHT_PX, columns * 255 // WIDTH_PX, alpha])
    pixels[alpha == 0] = 0
    return pixels.astype(np.uint8)


def premultiplied(pixels: RgbaImage) -> Bytes:
    """The cut-out over black, and alpha."""
    share = pixels[..., 3:].astype(np.float64) / 255
    return np.dstack([np.rint(pixels[..., :3] * share), pixels[..., 3]]).astype(np.uint8)


def _at(x: int, y: int) -> tuple[int, int]:
    return x * _FINE, y * _FINE
