"""Tests of the scores by which tests compare alpha mattes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pictures.scores import gradient_error, iou, sad


def square(left: int = 30) -> NDArray[np.float64]:
    alpha = np.zeros((100, 100))
    alpha[30:70, left : left + 40] = 1
    return alpha


def test_a_square_moved_by_one_pixel() -> None:
    moved, truth = square(31), square()
    assert sad(moved, truth) == pytest.approx(0.080)
    assert iou(moved, truth) == pytest.approx(39 / 41)


def test_equal_mattes_have_no_error() -> None:
    truth = square()
    assert (sad(truth, truth), gradient_error(truth, truth)) == (0, 0)
    assert iou(truth, truth) == iou(truth * 0, truth * 0) == 1


def test_gradient_error_of_a_step_against_nothing() -> None:
    step = np.zeros((41, 41))
    step[:, 21:] = 1
    offsets = np.arange(-4, 5)
    bell = np.exp(-(offsets**2) / (2 * 1.4**2))
    slope = offsets * bell
    response = np.convolve(step[0], slope[::-1], "valid") * bell.sum()
    expected = 41 * (response**2).sum() / (np.square(slope).sum() * np.square(bell).sum())
    inner = gradient_error(step, np.zeros((41, 41)))
    assert inner == pytest.approx(expected / 1000)
