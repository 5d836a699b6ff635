"""Cutgate beside rembg: scores and their intervals, goals that can be missed, constants chosen by folds."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality import methods
from benchmarks.quality.__main__ import main
from benchmarks.quality.choose import Trial
from benchmarks.quality.evaluator import FEW, Evaluator
from benchmarks.quality.folds.cases import VEIL
from benchmarks.quality.goals import goal_rows
from benchmarks.quality.maps import keep_maps
from benchmarks.quality.methods import BEFORE, CUTGATE, MASK, MATTING, PLAIN
from benchmarks.quality.pairs import NO_CASE, PRODUCT, read_pairs
from benchmarks.quality.report import SetReport, whole_report
from benchmarks.quality.scores import (
    MEAN_SAD,
    MEASURES,
    SAD_PER_PHOTO,
    THIN,
    Scored,
    bootstrap,
    carrier_of,
    geometric_mean_ratio,
    ratios_of,
)
from benchmarks.rembg_peer import isnet_weights
from cutgate.worker.models.engines.network_run import NetworkRun
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.settings import NetworkSettings

EVALUATOR = """
import cv2, numpy as np
def load_result(path, photo):
    result = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return result[..., :3], result[..., 3] / 255
def score(colours, alpha, photo, truth, foreground):
    return dict.fromkeys(MEASURES, np.abs(alpha - truth / 255).sum() / 1000)
"""
"""In place of the real one: every measure is SAD; so for IoU, of which more is better, a better alpha loses."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two made pairs: a dark disc on white."""
    entries = []
    for name, radius in (("large", 30), ("narrow", 12)):
        disc = np.zeros((80, 100), np.uint8)
        cv2.circle(disc, (50, 40), radius, 255, -1, cv2.LINE_AA)
        alpha = cv2.GaussianBlur(disc, (7, 7), 0)
        photo = np.repeat((255 - alpha)[..., None], 3, axis=2)
        for kind, pixels in (("jpg", photo), ("alpha.png", alpha), ("fg.png", np.zeros_like(photo))):
            cv2.imwrite(str(tmp_path / f"{name}.{kind}"), pixels)
        paths = {"image": f"{name}.jpg", "alpha": f"{name}.alpha.png", "fg": f"{name}.fg.png"}
        entries.append({"name": name, "category": THIN, "kind": "composite", **paths})
    (tmp_path / "manifest.json").write_text(json.dumps({"pairs": entries}), encoding="utf-8")
    return tmp_path


class StandIn:
    """rembg's place, taken by a program that blurs: what is kept, and what is not, shows in `cut_out`."""

    cut_out = 0

    def __init__(self, weights: Path, threads: int) -> None:
        assert weights.is_file()
        assert threads > 0

    def __call__(self, photo: bytes, *, matting: bool) -> bytes:
        StandIn.cut_out += 1
        bgr = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None
        side = 9 if matting else 21
        alpha = cv2.GaussianBlur(255 - bgr[..., 0], (side, side), 0)
        return cv2.imencode(".png", np.dstack([bgr, alpha]))[1].tobytes()


@pytest.mark.long
def test_a_run_compares_writes_and_keeps_the_peers_results(
    folder: Path,
    tiny_settings: NetworkSettings,
    weights_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(methods, "Rembg", StandIn)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("CUTGATE_MODELS_DIR", str(weights_dir))
        weights = isnet_weights()
    monkeypatch.setattr(methods, "isnet_weights", lambda: weights)
    for name in ("model", "models_dir", "cache_dir"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", str(getattr(tiny_settings, name)))
    evaluator, page, out = tmp_path / "evaluate.py", tmp_path / "page.md", tmp_path / "out"
    evaluator.write_text(f"MEASURES = {MEASURES}\n{EVALUATOR}", encoding="utf-8")
    page.write_text("<!-- quality: written by a program -->\n<!-- end of quality -->\nwords", encoding="utf-8")
    call = ["--pairs", str(folder), "--evaluator", str(evaluator), "--out", str(out), "--write", str(page)]
    statuses = [main(call), main([*call, "--before", "HEAD"])]
    assert StandIn.cut_out == 4, "two methods on two photos, once"
    printed = capsys.readouterr().out
    assert statuses == [1, 1]
    assert "falls short" in printed
    assert all(method in printed for method in (PLAIN, MATTING, BEFORE, CUTGATE))
    assert "without large" in printed, "a goal is held without the photo that carries it, too"
    assert page.read_text(encoding="utf-8").endswith("words")
    assert "Measured " in page.read_text(encoding="utf-8")
    assert [sheet.name for sheet in (out / "sheets").iterdir()] == ["00.png"]


@pytest.mark.parametrize("absent", ["pairs", "evaluator"])
def test_missing_files_named(
    absent: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluate.py").touch()
    places = {"pairs": folder, "evaluator": tmp_path / "evaluate.py"} | {absent: tmp_path / "nowhere"}
    assert main(["--pairs", str(places["pairs"]), "--evaluator", str(places["evaluator"])]) == 2
    assert f"say where {'they are' if absent == 'pairs' else 'it is'} with --{absent}" in capsys.readouterr().err


def scored(value: float, iou: float) -> Scored:
    values = dict.fromkeys(MEASURES, value) | {"IoU": iou}
    return Scored.of(
        {"name": category, "category": category, **values} for category in (THIN, "portrait/hair", PRODUCT)
    )


@pytest.mark.parametrize(("value", "iou", "met"), [(5.0, 0.95, True), (5.0, 0.89, False), (9.9, 0.95, False)])
def test_goals_are_held_against_matting(folder: Path, value: float, iou: float, met: bool) -> None:
    pairs = read_pairs(folder)
    methods = {PLAIN: scored(20, 0.5), MATTING: scored(10, 0.9), CUTGATE: scored(value, iou)}
    text, all_met = whole_report([SetReport(pairs, methods)])
    assert all_met is met
    assert ("falls short" in text) is not met
    assert f"{value / 10:.2f} [{value / 10:.2f}, {value / 10:.2f}]" in text


def test_a_photo_that_got_worse_is_named(folder: Path) -> None:
    methods = {
        name: scored(value, 0.9) for name, value in ((PLAIN, 20), (MATTING, 10), (BEFORE, 5), (CUTGATE, 4.5))
    }
    methods[CUTGATE].values["SAD"][1] = 5.6
    missed = [row for row, met in goal_rows(read_pairs(folder), methods) if not met]
    assert [(row[0].split(": ")[-1], row[4]) for row in missed] == [("worst SAD, portrait/hair", "1.12")]


def test_an_edge_of_a_product_may_not_get_worse_than_the_plain_mask(folder: Path) -> None:
    methods = {CUTGATE: scored(5, 0.9), MASK: scored(5, 0.9).only(np.array([False, False, True]))}
    methods[CUTGATE].values["Grad"][:] = 50, 50, 5.6
    reached = [(row[0], row[1], row[4], met) for row, met in goal_rows(read_pairs(folder), methods)]
    assert reached == [
        (f"{folder.name}, {PRODUCT}: Grad per photo", MASK, "1.12 [1.12, 1.12]", False),
        (f"{folder.name}, {PRODUCT}: worst Grad, {PRODUCT}", MASK, "1.12", False),
    ]


def test_cases_have_goals_and_rows_of_their_own(folder: Path) -> None:
    pairs = read_pairs(folder)
    pairs = replace(pairs, pairs=tuple(replace(pair, fold=0) for pair in pairs.pairs))
    marks = [("portrait/hair", VEIL), ("portrait/hair", NO_CASE), (PRODUCT, "similar colours")]
    before, now = (
        Scored.of(
            row | {"category": category, "group": case} for row, (category, case) in zip(made, marks, strict=True)
        )
        for made in (rows(["", "", ""], 10), rows(["", "", ""], 10))
    )
    now.values["SAD"][0], now.values["Grad"][2] = 8, 9.8
    report = SetReport(pairs, {BEFORE: before, CUTGATE: now})
    reached = {row[0].removeprefix(f"{pairs.name}, "): met for row, met in goal_rows(pairs, report.scored)}
    assert reached["veil: SAD per photo"]
    assert not reached[f"{PRODUCT}: Grad per photo"]
    assert "| similar colours " in report.markdown()


def test_a_map_is_kept(tiny_settings: NetworkSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    plain = load_segmenter(tiny_settings)(image)
    segmenter = load_segmenter(tiny_settings)
    assert isinstance(segmenter.predict, NetworkRun)
    engine = segmenter.predict.engine
    first = keep_maps(segmenter, tmp_path)(image)
    monkeypatch.delattr(type(engine), "run")
    np.testing.assert_array_equal(segmenter(image), first)
    assert np.abs(first.astype(int) - plain).max() <= 1
    with pytest.raises(ModelUnavailable, match="run"):
        segmenter(image[::-1])


def rows(categories: list[str], value: float) -> list[dict[str, object]]:
    return [
        {"name": str(place), "category": category, **dict.fromkeys(MEASURES, value)}
        for place, category in enumerate(categories)
    ]


def test_many_photos_of_one_subject_are_no_many_subjects() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.uniform(20, 40, 60)
    ours = theirs * np.repeat(np.exp(rng.normal(0, 0.3, 6)), 10)
    alone = bootstrap(ours, theirs, geometric_mean_ratio)
    by_subject = bootstrap(ours, theirs, geometric_mean_ratio, np.repeat(list("abcdef"), 10))
    assert by_subject.value == alone.value
    assert by_subject.high - by_subject.low > 2 * (alone.high - alone.low)


def test_next_to_nothing_is_no_harm() -> None:
    before, after = (Scored.of(rows(["a"] * 3, 10.0)) for _ in range(2))
    before.values["SAD"][2], after.values["SAD"][:] = 0.01, (10, 11.5, 0.04)
    assert ratios_of(after, before, "SAD").round(9).tolist() == [1, 1.15, 1]


def test_the_photo_that_carries_a_figure_is_found() -> None:
    before, after = (Scored.of(rows(["a"] * 4, 10.0)) for _ in range(2))
    after.values["SAD"][:] = 9, 2, 11, 10
    before.values["SAD"][3] = after.values["SAD"][3] = 1000
    assert carrier_of(SAD_PER_PHOTO, after, before) == 1
    assert carrier_of(MEAN_SAD, after, before) == 3


def test_many_photos_are_scored_beside_each_other_in_order(folder: Path, tmp_path: Path) -> None:
    evaluator = tmp_path / "evaluate.py"
    evaluator.write_text(f"MEASURES = {MEASURES}\n{EVALUATOR}", encoding="utf-8")
    pairs = read_pairs(folder)
    for pair in pairs.pairs:
        alpha = cv2.imread(str(pair.alpha), cv2.IMREAD_GRAYSCALE)
        assert alpha is not None
        cv2.imwrite(str(tmp_path / f"{pair.name}.png"), np.dstack([alpha, alpha, alpha, alpha // 2]))
    few = Evaluator(evaluator)(pairs, tmp_path)
    many = Evaluator(evaluator)(replace(pairs, pairs=pairs.pairs * (FEW // 2 + 1)), tmp_path)
    assert few[0]["SAD"] > few[1]["SAD"] > 0
    assert many == few * (FEW // 2 + 1)


FOLDS = np.repeat(np.arange(5), 8)
SUBJECTS = tuple(f"{number // 4}" for number in range(40))
IN_USE = np.random.default_rng(0).uniform(5, 50, 40)


def trial(ratios: np.ndarray) -> Trial:
    """Of a candidate 2 beside the 1 in use."""
    return Trial(FOLDS, SUBJECTS, 1.0, {1.0: IN_USE, 2.0: IN_USE * ratios}, "Grad")


def test_what_every_fold_chooses_and_none_regrets_is_chosen() -> None:
    better = trial(np.full(40, 0.9))
    assert set(better.chosen().values()) == {2.0}
    assert better.held_out().value == pytest.approx(0.9)
    assert better.verdict() == 2.0


def test_what_one_fold_alone_gains_by_is_not_chosen() -> None:
    """The others would not choose it, and that one, which would, is not asked."""
    flattered = trial(np.where(FOLDS == 3, 0.5, 1.05))
    assert flattered.chosen()[3] == 1.0
    assert flattered.verdict() is None
    assert "it stays" in flattered.markdown()
    assert "Grad over the value in use" in flattered.markdown()
