import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import Absent
from benchmarks.quality.composites import BACKDROPS, FOLDS, SEED, composites_in, composites_of, subjects_of
from benchmarks.quality.pairs import SMALL, SOFT, PairSet, read_pairs

SUBJECTS = 30
"""As many as it takes for 300 composites."""


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    """Drawn subjects in two photos each, one of them mirrored, and one small picture of each."""
    folder, rng = tmp_path_factory.mktemp("drawn"), np.random.default_rng(0)
    entries = []
    for number in range(SUBJECTS):
        disc = np.zeros((48, 64), np.uint8)
        cv2.circle(disc, (26 + number % 7, 30 + number % 4), 12 + number % 9, 255, -1)
        alpha = cv2.GaussianBlur(disc, (9, 9), 0)
        colours = np.full((48, 64, 3), rng.integers(30, 220, 3), np.uint8)
        share = alpha[..., None] / 255
        photo = np.rint(share * colours + (1 - share) * rng.integers(0, 256, colours.shape)).astype(np.uint8)
        common = {"category": "ab"[number % 2], "original": f"subject{number}.png"}
        for kind, step in (("natural", 1), ("composite", -1)):
            name = f"{kind}{number}"
            written = (("jpg", photo), ("alpha.png", alpha), ("fg.png", colours))
            entries.append({"name": name, "kind": kind, **common, **_files(folder, name, step, written)})
        small = cv2.copyMakeBorder(alpha, 0, 0, 0, 128, cv2.BORDER_CONSTANT)
        landscape = rng.integers(0, 256, (48, 192, 3)).astype(np.uint8)
        written = (("jpg", landscape), ("alpha.png", small), ("fg.png", landscape))
        entries.append(
            {"name": f"small{number}", "kind": SMALL, **common, **_files(folder, f"small{number}", 1, written)}
        )
    (folder / "manifest.json").write_text(json.dumps({"pairs": entries}), encoding="utf-8")
    return read_pairs(folder)


def _files(folder: Path, name: str, step: int, written: tuple[tuple[str, np.ndarray], ...]) -> dict[str, str]:
    for kind, pixels in written:
        cv2.imwrite(str(folder / f"{name}.{kind}"), pixels[:, ::step])
    return {"image": f"{name}.jpg", "alpha": f"{name}.alpha.png", "fg": f"{name}.fg.png"}


@pytest.fixture(scope="session")
def made(drawn: PairSet, tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return composites_in(tmp_path_factory.mktemp("folds"), [drawn])


def test_thirty_subjects_give_three_hundred_composites(made: PairSet) -> None:
    assert len(made.pairs) == len({pair.name for pair in made.pairs}) == SUBJECTS * len(BACKDROPS) == 300


def test_no_subject_is_in_two_folds_though_two_photos_show_it(made: PairSet) -> None:
    folds = {
        subject: {pair.fold for pair in made.pairs if pair.subject == subject}
        for subject in {p.subject for p in made.pairs}
    }
    assert len(folds) == SUBJECTS
    assert all(len(each) == 1 for each in folds.values())
    for category in "ab":
        assert {pair.fold for pair in made.pairs if pair.category == category} == set(range(FOLDS))


def test_the_same_sources_give_the_same_files(drawn: PairSet, made: PairSet, tmp_path: Path) -> None:
    again = composites_in(tmp_path, [drawn])
    assert again.digest == made.digest
    first = again.pairs[0].photo
    assert first.read_bytes() == made.pairs[0].photo.read_bytes()
    first.unlink()
    composites_in(tmp_path, [drawn])
    assert not first.is_file(), "they are there already"
    other = replace(drawn, digest="other photos")
    composites_in(tmp_path, [other])
    assert first.is_file()


def test_slow_methods_see_one_composite_of_each_subject(made: PairSet) -> None:
    sampled = made.sampled.pairs
    assert len(sampled) == len({pair.subject for pair in sampled}) == SUBJECTS
    assert len({pair.name.split("_")[-1] for pair in sampled}) == len(set(BACKDROPS))


def test_another_seed_gives_other_pictures(drawn: PairSet) -> None:
    subject = subjects_of(drawn.pairs)[0]
    background = np.full((40, 60, 3), 90, np.uint8)
    first, other = (next(composites_of(subject, [background], seed)) for seed in (SEED, SEED + 1))
    assert first.photo.shape != other.photo.shape or (first.photo != other.photo).any()


def test_alpha_is_true(drawn: PairSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over two backgrounds, what differs is 1 − alpha of how they differ: the definition, solved for alpha."""
    monkeypatch.setattr("benchmarks.quality.composites.GRAIN_LEVELS", (0.0,))
    backgrounds = [np.full((40, 60, 3), level, np.uint8) for level in (0, 255)]
    for subject in subjects_of(drawn.pairs)[:8]:
        dark, light = (next(composites_of(subject, [background])) for background in backgrounds)
        np.testing.assert_array_equal(dark.alpha, light.alpha)
        shown_through = light.photo.astype(int) - dark.photo
        assert np.abs(255 - shown_through - dark.alpha[..., None]).max() <= 1
        soft = (dark.alpha > SOFT[0]) & (dark.alpha < SOFT[1])
        assert soft.any()
        share = dark.alpha[soft][:, None] / 255
        # The darker picture is alpha times the colours: those that are written are the ones that were laid over.
        assert np.abs(share * dark.foreground[soft] - dark.photo[soft]).max() <= 1
        assert not dark.foreground[~soft].any()


def test_without_small_pictures_there_are_no_backgrounds(drawn: PairSet, tmp_path: Path) -> None:
    with pytest.raises(Absent, match="eval_small"):
        composites_in(tmp_path, [drawn.only(lambda pair: pair.kind != SMALL)])
