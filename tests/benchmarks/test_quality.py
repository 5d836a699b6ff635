import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality import methods
from benchmarks.quality.__main__ import main
from benchmarks.quality.methods import CUTGATE, MATTING, METHODS, PLAIN
from benchmarks.quality.pairs import SMALL, PairSet, read_pairs
from benchmarks.quality.report import SetReport, whole_report
from benchmarks.quality.scores import MEASURES, THIN, Scored
from benchmarks.rembg_peer import isnet_weights
from cutgate.worker.settings import NetworkSettings

EVALUATOR = """
import json
from dataclasses import replace
from pathlib import Path
import cv2, numpy as np
def evaluate(folders, results):
    rows = []
    for folder in map(Path, folders):
        for entry in json.loads((folder / "manifest.json").read_text())["pairs"]:
            result = cv2.imread(f"{results}/{entry['name']}.png", cv2.IMREAD_UNCHANGED)
            truth = cv2.imread(str(folder / entry["alpha"]), cv2.IMREAD_GRAYSCALE)
            sad = np.abs(result[..., 3].astype(float) - truth).sum() / 255000
            rows.append({"name": entry["name"], "category": entry["category"], **dict.fromkeys(MEASURES, sad)})
    return {"images": rows, "missing": []}
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
    statuses = [main(call), main(call)]
    assert StandIn.cut_out == 4, "two methods on two photos, once"
    printed = capsys.readouterr().out
    assert statuses == [1, 1]
    assert "falls short" in printed
    assert all(method in printed for method in METHODS)
    assert page.read_text(encoding="utf-8").endswith("words")
    assert "Measured " in page.read_text(encoding="utf-8")
    assert (out / "sheet.png").is_file()


@pytest.mark.parametrize("absent", ["pairs", "evaluator"])
def test_what_is_missing_is_named(
    absent: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluate.py").touch()
    places = {"pairs": folder, "evaluator": tmp_path / "evaluate.py"} | {absent: tmp_path / "nowhere"}
    assert main(["--pairs", str(places["pairs"]), "--evaluator", str(places["evaluator"])]) == 2
    assert f"say where {'they are' if absent == 'pairs' else 'it is'} with --{absent}" in capsys.readouterr().err


def test_a_service_needs_a_key_pair(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CUTGATE_PUBLIC_KEY", raising=False)
    (tmp_path / "evaluate.py").touch()
    call = ["--pairs", str(folder), "--evaluator", str(tmp_path / "evaluate.py")]
    assert main([*call, "--service", "http://localhost:1"]) == 2
    assert "no key pair: CUTGATE_PUBLIC_KEY is not set" in capsys.readouterr().err


def scored(value: float, iou: float) -> Scored:
    values = dict.fromkeys(MEASURES, value) | {"IoU": iou}
    return Scored.of([{"category": THIN, **values}, {"category": "portrait/hair", **values}])


@pytest.mark.parametrize(("value", "iou", "met"), [(5.0, 0.95, True), (5.0, 0.89, False), (9.9, 0.95, False)])
def test_goals_are_held_against_matting(folder: Path, value: float, iou: float, met: bool) -> None:
    pairs = read_pairs(folder)
    methods = {PLAIN: scored(20, 0.5), MATTING: scored(10, 0.9), CUTGATE: scored(value, iou)}
    text, all_met = whole_report([SetReport(pairs, methods)])
    assert all_met is met
    assert ("falls short" in text) is not met
    assert f"{value / 10:.2f} [{value / 10:.2f}, {value / 10:.2f}]" in text


def test_a_set_of_small_subjects_has_one_goal(folder: Path) -> None:
    pairs = read_pairs(folder)
    small = PairSet(pairs.folder, tuple(replace(pair, kind=SMALL) for pair in pairs.pairs), pairs.digest)
    rows, all_met = SetReport(
        small, {PLAIN: scored(20, 0.5), MATTING: scored(10, 0.9), CUTGATE: scored(6, 0.1)}
    ).goals()
    assert (len(rows), all_met) == (1, True)
