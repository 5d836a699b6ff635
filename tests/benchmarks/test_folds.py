"""Composites: the truth is what was laid over the background, and no subject is in two folds."""

import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality.folds import composites as composites_module
from benchmarks.quality.folds.backdrops import SHIFTS, TONES, similar, toned
from benchmarks.quality.folds.cases import CASES, SEVERAL, SIMILAR, VEIL, motion_blur, several
from benchmarks.quality.folds.composites import composites_in
from benchmarks.quality.folds.drawings import DRAWINGS, DRAWN, LABEL, drawn_subject
from benchmarks.quality.folds.pictures import composite_of, rounded
from benchmarks.quality.folds.subjects import FOLDS, Subject
from benchmarks.quality.pairs import NO_CASE, PRODUCT, SMALL, Pair, PairSet, read_pairs

BACKGROUND = np.full((90, 120, 3), 40, np.uint8)


def subject(name: str, category: str, level: int = 220, soft_px: int = 30) -> Subject:
    """A light disc with a soft rim."""
    rows, columns = np.mgrid[0:200, 0:200]
    alpha = np.clip((100 - np.hypot(rows - 99.5, columns - 99.5)) / soft_px, 0, 1)
    share = np.repeat((level * alpha)[..., None], 3, axis=2)
    return Subject(name, name, category, share.astype(np.float32), np.rint(255 * alpha).astype(np.uint8))


def written(folder: Path, category: str, kind: str, name: str) -> dict[str, str]:
    given = subject(name, category)
    alpha = cv2.copyMakeBorder(given.alpha, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=0)
    colours = np.full((*alpha.shape, 3), 220, np.uint8)
    photo = np.where(alpha[..., None] > 127, colours, 30).astype(np.uint8)
    files = {"image": f"{name}.png", "alpha": f"{name}.alpha.png", "fg": f"{name}.fg.png"}
    for file, pixels in zip(files.values(), (photo, alpha, colours), strict=True):
        cv2.imwrite(str(folder / file), pixels)
    return {"name": name, "category": category, "kind": kind, **files}


@pytest.fixture(scope="module")
def composites(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    """Of fifteen subjects, hair and products in turn, and of ten in place of the drawings, which are large."""
    folder = tmp_path_factory.mktemp("pairs")
    categories = ("portrait/hair", PRODUCT, PRODUCT) * 5
    entries = [written(folder, category, "composite", f"s{place}") for place, category in enumerate(categories)]
    entries.append(written(folder, PRODUCT, SMALL, "small"))
    (folder / "manifest.json").write_text(json.dumps({"pairs": entries}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        drawn = [subject(f"{category}{place}", category) for category in (LABEL, DRAWN) for place in range(FOLDS)]
        patch.setattr(composites_module, "drawn_subjects", lambda: drawn)
        return composites_in(folder / "folds", [read_pairs(folder)])


def test_every_group_is_there_and_no_subject_is_in_two_folds(composites: PairSet) -> None:
    assert {pair.group for pair in composites.pairs} == {NO_CASE, *CASES, SEVERAL}
    folds = defaultdict(set)
    for pair in composites.pairs:
        folds[pair.subject].add(pair.fold)
    assert all(len(seen) == 1 for seen in folds.values())
    for group in (NO_CASE, SIMILAR, VEIL, LABEL, DRAWN):
        assert {pair.fold for pair in composites.pairs if pair.group == group} == set(range(FOLDS)), group


def test_files_have_one_size_and_show_the_subject(composites: PairSet) -> None:
    one_of_each: dict[str, Pair] = {pair.group: pair for pair in composites.pairs}
    for pair in one_of_each.values():
        photo, alpha, foreground = (
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (pair.photo, pair.alpha, pair.foreground)
        )
        assert photo is not None
        assert alpha is not None
        assert foreground is not None
        assert photo.shape[:2] == alpha.shape == foreground.shape[:2]
        assert alpha.max() == 255
        assert not foreground[alpha == 0].any()


def test_a_composite_is_the_subject_over_its_background() -> None:
    given = subject("disc", PRODUCT)
    share, alpha = rounded(given.premultiplied, given.alpha.astype(np.float32))
    background = np.full(share.shape, 40, np.float32)
    made = composite_of(share, alpha, background, "flat", np.random.default_rng(0))
    weight = alpha[..., None] / 255
    np.testing.assert_allclose(made.photo.mean(), (weight * 220 + (1 - weight) * 40).mean(), atol=1)
    soft = (alpha > 20) & (alpha < 250)
    assert np.abs(made.foreground[soft].astype(int) - 220).max() <= 6


@pytest.mark.parametrize(("level", "light"), [(220, False), (30, True)])
def test_light_hair_is_before_dark_and_dark_hair_before_light(level: int, light: bool) -> None:
    made = list(CASES[VEIL](subject("hair", "animal/fur", level), [BACKGROUND], np.random.default_rng(1)))
    assert made
    behind = np.array([composite.photo[composite.alpha == 0].mean() for composite in made])
    assert ((behind > 150) == light).all()


def test_what_does_not_fit_a_case_is_left_out() -> None:
    rng = np.random.default_rng(0)
    assert not list(CASES[VEIL](subject("narrow", "animal/fur", soft_px=4), [BACKGROUND], rng))
    assert not list(CASES[SIMILAR](subject("hair", "portrait/hair"), [BACKGROUND], rng))


def test_tones_and_similar_colours_keep_their_distance() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        grey = np.full((20, 30, 3), rng.uniform(60, 200), np.float32)
        assert TONES[0] - 1 <= toned(grey, rng, light=False).mean() <= TONES[1] + 1
        assert TONES[0] - 1 <= 255 - toned(grey, rng, light=True).mean() <= TONES[1] + 1
        colour = rng.uniform(0, 255, 3)
        shift = np.abs(similar(colour, (20, 30), rng, even=True)[0, 0] - colour).max()
        assert SHIFTS[0] - 0.01 <= shift <= SHIFTS[1] + 0.01


def test_motion_blur_widens_the_soft_zone_and_keeps_the_subject_s_area() -> None:
    given = subject("product", PRODUCT, soft_px=2)
    (moved,) = motion_blur(given, [BACKGROUND], np.random.default_rng(3))
    assert np.isclose(moved.alpha.sum(), given.alpha.sum(), rtol=0.01)
    soft = [np.count_nonzero((alpha > 2) & (alpha < 253)) for alpha in (given.alpha, moved.alpha)]
    assert soft[1] > 3 * soft[0]


def test_the_truth_of_several_is_all_of_them() -> None:
    subjects = [subject(name, PRODUCT, level, 2) for name, level in (("a", 250), ("b", 240), ("c", 230))]
    black = np.zeros((90, 120, 3), np.uint8)
    for made in several(subjects, [black], np.random.default_rng(0)):
        shown, _ = cv2.connectedComponents((made.alpha > 127).astype(np.uint8))
        assert 2 <= shown <= 4
        assert (made.photo[made.alpha == 255] > 200).all()


def test_what_is_drawn_is_opaque_and_holes_are_holes() -> None:
    by_name = {draw.__name__: draw for draw in DRAWINGS[DRAWN]}
    panda, ring = (drawn_subject(DRAWN, by_name[name]) for name in ("_panda", "_ring"))
    middles = [drawn.alpha[drawn.alpha.shape[0] // 2, drawn.alpha.shape[1] // 2] for drawn in (panda, ring)]
    assert middles == [255, 0]
    assert (panda.premultiplied[panda.alpha == 255] > 250).all(axis=1).mean() > 0.5, "a white face"
