from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality.boxes import INSIDE, ONE, RIGHT, WHOLE, Row, boxes_of, report
from benchmarks.quality.composites import Subject
from benchmarks.quality.groups import GROUP_SIZES, IN_FRONT, Group, groups_of
from benchmarks.quality.pairs import Pair
from cutgate.worker.cutout.raster.arrays import ByteMask
from cutgate.worker.cutout.raster.geometry import Region


def disc() -> ByteMask:
    return np.asarray(cv2.circle(np.zeros((120, 100), np.uint8), (40, 60), 30, 255, -1))


def subject(name: str, *, cut_left: bool = False) -> Subject:
    alpha = disc()[30:91, 10:71]
    colours = np.float32(80 / 255) * np.repeat(alpha[..., None], 3, axis=2).astype(np.float32)
    return Subject(name, name, "category", colours, alpha, (False, False, cut_left, False))


def groups() -> list[Group]:
    members = [subject("a"), subject("b", cut_left=True), subject("c")]
    background = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    return list(groups_of(members, [background], fold=2))


def pair(fold: int | None) -> Pair:
    return Pair("disc", Path("disc.jpg"), Path("disc.png"), Path("disc.png"), "category", "natural", "disc", fold)


def test_groups_show_several_subjects_and_no_pixel_belongs_to_two() -> None:
    made = groups()
    assert [len(group.shown) for group in made] == [*GROUP_SIZES, *(1,) * IN_FRONT]
    for group in made:
        alphas = [alpha for _, alpha in group.shown]
        assert {alpha.shape for alpha in alphas} == {group.photo.shape[:2]}
        assert all(alpha.max() == 255 for alpha in alphas)
        assert np.sum(alphas, axis=0, dtype=int).max() <= 255 + len(alphas)


def test_the_same_subjects_give_the_same_groups() -> None:
    for one, other in zip(groups(), groups(), strict=True):
        assert np.array_equal(one.photo, other.photo)
        assert [name.name for name, _ in one.shown] == [name.name for name, _ in other.shown]


def test_whom_the_frame_cuts_on_the_left_stands_on_the_left() -> None:
    for group in groups()[: len(GROUP_SIZES)]:
        for shown, alpha in group.shown:
            assert shown.name != "b" or alpha[:, 0].any()


def test_boxes_hold_the_subject_lie_inside_it_or_are_the_whole_picture() -> None:
    truth = disc()
    boxes = dict(boxes_of(pair(None), truth))
    assert boxes == {WHOLE: Region(0, 0, 100, 120), RIGHT: Region(7, 27, 74, 94), INSIDE: boxes[INSIDE]}
    assert (truth[boxes[INSIDE].index] == 255).all()
    assert boxes[INSIDE].area_px > 100
    assert dict(boxes_of(pair(3), truth)) == {ONE: boxes[RIGHT]}


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({}, ""),
        ({WHOLE: Row("p", "p", WHOLE, 2, 2)}, "not equal"),
        ({RIGHT: Row("p", "p", RIGHT, 2.3, 2)}, "right"),
        ({INSIDE: Row("p", "p", INSIDE, 5, 0, lost=True)}, "nothing is left"),
        ({ONE: Row("g", "g", ONE, 9)}, "several"),
    ],
)
def test_each_goal_can_be_missed(changed: dict[str, Row], missed: str) -> None:
    rows = {
        WHOLE: Row("p", "p", WHOLE, 2, 2, equal=True),
        RIGHT: Row("p", "p", RIGHT, 1.9, 2),
        INSIDE: Row("p", "p", INSIDE, 0, 0),
        ONE: Row("g", "g", ONE, 4),
    }
    text, all_met = report(list((rows | changed).values()), before=list(rows.values()))
    short = [line for line in text.splitlines() if "falls short" in line]
    assert all_met == (not missed)
    assert bool(short) == bool(missed)
    assert all(missed in line for line in short)
