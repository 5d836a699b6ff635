"""OpenCV's filters as the maths needs them: typed, and with the border replicated."""

from typing import Final, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from cutgate.worker.cutout.raster.arrays import ByteMask, Bytes, FloatMask
from cutgate.worker.cutout.raster.geometry import Region, fitted

Array = TypeVar("Array", NDArray[np.uint8], NDArray[np.float32])

LEAST_ROUNDED_PX: Final = 1000
"""Half of an odd side is rounded from this length on."""


def shrink(image: Array, height_px: int, width_px: int, interpolation: int = cv2.INTER_AREA) -> Array:
    """The image made smaller, each pixel the mean of what it covers.

    A large one is halved first: means of four pixels are fast, those of parts of pixels are slow. The rest is done
    by OpenCV's `interpolation`: `INTER_LINEAR` keeps more contrast than means, and is faster.
    """
    image = _halved(image, height_px, width_px)
    return cast("Array", cv2.resize(image, (width_px, height_px), interpolation=interpolation))


def shrink_fast(image: Array, height_px: int, width_px: int) -> Array:
    """The image made smaller, each pixel the mean of four that are read between the image's.

    It takes half the time of `shrink` and differs by a fraction of a level.
    """
    image = _halved(image, height_px, width_px)
    if image.shape[:2] == (height_px, width_px):
        return image
    doubled = enlarged(image, 2 * height_px, 2 * width_px)
    return cast("Array", cv2.resize(doubled, (width_px, height_px), interpolation=cv2.INTER_AREA))


def _halved(image: Array, height_px: int, width_px: int) -> Array:
    """The image halved as often as it stays as large as this.

    Of an odd number of rows or columns the last is left out, where that is too little to be seen.
    """
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    while rows >= height_px and columns >= width_px:
        if min(rows, columns) < LEAST_ROUNDED_PX and (image.shape[0] % 2 or image.shape[1] % 2):
            break
        whole = image[: 2 * rows, : 2 * columns]
        image = cast("Array", cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA))
        rows, columns = rows // 2, columns // 2
    return image


def shrink_to_fit(
    image: Array, long_side_px: int, interpolation: int = cv2.INTER_AREA, whole_px: int = 0
) -> Array:
    """The image shrunk as `fitted` says; as it is where it fits."""
    height_px, width_px = image.shape[:2]
    return shrink(image, *fitted(height_px, width_px, long_side_px, whole_px), interpolation)


def enlarged(image: Array, height_px: int, width_px: int) -> Array:
    """The image made larger, linear between its pixels."""
    return cast("Array", cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR))


def resize_nearest(image: Array, height_px: int, width_px: int) -> Array:
    """The image made larger, each pixel the nearest of its own: for what is either so or not."""
    return cast("Array", cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_NEAREST_EXACT))


def channels(image: Array) -> list[Array]:
    """An image's channels, each lying together in memory; one by one is twice as fast as `cv2.split`."""
    return [cast("Array", cv2.extractChannel(image, channel)) for channel in range(image.shape[2])]


def mean(image: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """The mean over a square around each pixel."""
    blurred = cv2.blur(image, (side_px, side_px), borderType=cv2.BORDER_REPLICATE)
    return cast("NDArray[np.float32]", blurred)


def counted(zone: ByteMask, side_px: int) -> NDArray[np.float32]:
    """How many pixels of a zone of ones lie in a square around each pixel: faster than their `mean`."""
    counts = cv2.boxFilter(zone, cv2.CV_16U, (side_px, side_px), normalize=False, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(counts, np.float32)


def bounds(zone: ByteMask) -> Region:
    """What bounds the pixels of a (height, width) uint8 array that are not 0; empty where all are."""
    left, top, width, height = cv2.boundingRect(zone)
    return Region(left, top, left + width, top + height)


def eroded(mask: Array, element: ByteMask) -> Array:
    """The least value under the element around each pixel."""
    return cast("Array", cv2.erode(mask, element, borderType=cv2.BORDER_REPLICATE))


def dilated(mask: Array, element: ByteMask) -> Array:
    """The greatest value under the element around each pixel."""
    return cast("Array", cv2.dilate(mask, element, borderType=cv2.BORDER_REPLICATE))


def components(zone: ByteMask) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """Connected components of what is not 0: how many with the background, labels, and OpenCV's stats of each."""
    # Of OpenCV's algorithms the fastest with few components; the order of these is all that differs.
    found = cv2.connectedComponentsWithStatsWithAlgorithm(zone, 8, cv2.CV_32S, cv2.CCL_BBDT)
    return found[0], np.asarray(found[1], np.int32), np.asarray(found[2], np.int32)


def square(side_px: int) -> ByteMask:
    """A structuring element of ones."""
    return np.ones((side_px, side_px), np.uint8)


def disc(side_px: int) -> ByteMask:
    """A round structuring element."""
    return cast("ByteMask", cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side_px, side_px)))


def looked_up(levels: ByteMask, table: Bytes) -> ByteMask:
    """Each level replaced by the table's 256 entries."""
    return cast("ByteMask", cv2.LUT(levels, table))


def to_unit(levels: ByteMask) -> FloatMask:
    """0 to 255 as 0 to 1."""
    return levels.astype(np.float32) / np.float32(255)


def to_levels(values: FloatMask) -> ByteMask:
    """0 to 1 as 0 to 255, rounded; values beyond are clipped."""
    # `convertScaleAbs` would have to be shown no value below 0.
    return cast("ByteMask", cv2.addWeighted(values, 255, values, 0, 0, dtype=cv2.CV_8U))
