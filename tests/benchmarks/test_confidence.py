"""The choice of the confidence's weights, and how a report judges it, on numbers whose answer is known."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality.confidence import (
    Seen,
    area_under_curve,
    calibration_error,
    confidences,
    fitted,
    report,
    reviewed,
    seen,
)
from benchmarks.quality.pairs import Pair, PairSet
from cutgate.worker.cutout.confidence import features
from cutgate.worker.models.engines.runtime import Segmenter

RNG = np.random.default_rng(7)
FEATURES = RNG.normal([5, -2], [3, 0.1], (4000, 2))
CHANCE = 1 / (1 + np.exp(-(1 + 0.5 * (FEATURES[:, 0] - 5) - 8 * (FEATURES[:, 1] + 2))))
IS_RIGHT = RNG.random(4000) < CHANCE


def made(count: int = 4000) -> Seen:
    """Results in five folds, of ten subjects each."""
    pairs = tuple(
        Pair(f"{n}", Path(), Path(), Path(), "any", "fold", subject=f"s{n % 50}", fold=n % 5) for n in range(count)
    )
    iou = np.where(IS_RIGHT[:count], 0.97, 0.5)
    return Seen(PairSet(Path("folds"), pairs, ""), FEATURES[:count], iou, 0.001)


def test_features_are_of_the_whole_mask_however_small_its_subject(tmp_path: Path) -> None:
    picture = np.zeros((400, 600), np.uint8)
    picture[150:250, 250:350] = 255
    cv2.imwrite(str(tmp_path / "photo.png"), picture)
    pair = replace(made(1).pairs.pairs[0], photo=tmp_path / "photo.png", alpha=tmp_path / "photo.png")
    segmenter = Segmenter(
        lambda view: view[..., 0].copy(), model="given", engine="none", provider="none", dtype="none", threads=1
    )
    found = seen(PairSet(tmp_path, (pair,), ""), segmenter)
    assert found.features[0] == pytest.approx(features(picture, np.dstack([picture] * 3)))
    assert found.iou[0] > 0.99


def test_the_weights_of_a_logistic_function_are_found() -> None:
    assert fitted(FEATURES, IS_RIGHT) == pytest.approx([1 - 2.5 - 16, 0.5, -8], rel=0.15)


def test_what_was_made_by_it_is_calibrated_and_the_reverse_is_not() -> None:
    shown = confidences(made(), made())
    assert calibration_error(shown, IS_RIGHT) < 0.03
    assert calibration_error(1 - shown, IS_RIGHT) > 0.3
    area = area_under_curve(shown, ~IS_RIGHT)
    assert area > 0.7
    assert area_under_curve(-shown, ~IS_RIGHT) == pytest.approx(1 - area)
    assert area_under_curve(np.zeros(4000), ~IS_RIGHT) == 0.5


def test_no_weights_have_seen_the_subject_that_they_judge() -> None:
    """In one fold right and wrong are turned round: for its own results the others' weights count."""
    folds = made(500)
    turned = np.array([pair.fold == 0 for pair in folds.pairs.pairs])
    folds.iou[turned] = 1.47 - folds.iou[turned]
    shown = confidences(folds, folds)
    assert area_under_curve(shown[turned], folds.iou[turned] < 0.9) < 0.4
    assert area_under_curve(shown[~turned], folds.iou[~turned] < 0.9) > 0.6


def test_the_least_sure_are_reviewed_first() -> None:
    assert reviewed(np.array([0.9, 0.1, 0.5, 0.4, 0.8]), 0.4).tolist() == [1, 3]


def test_a_report_names_what_is_missed_and_whether_goals_are_met() -> None:
    text, met = report(made(500), [])
    assert not met
    assert "| folds: calibration error" in text
    assert text.count("falls short") == 1, "a fifth of these results holds too few of the bad ones"
    assert "| folds |     s" in text
