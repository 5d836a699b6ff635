"""`cutgate refine`: of a service's results, by file and by task, and in this process where there is none."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cutgate.client.test_refine import KEPT, REMOVED, alpha_of, running_service
from tests.cutgate.conftest import Service, run
from tests.pictures.tiny_network import tiny_environment
from tests.worker.process.runner_bench import picture

__all__ = ["running_service"]

pytestmark = pytest.mark.usefixtures("bare_environment")
STROKES = ("--keep", "{},{}".format(*KEPT), "--remove", "{},{} 21,15.4".format(*REMOVED), "--radius", "2")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a photo in it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(picture())
    return tmp_path


def seen_in(path: Path) -> tuple[int, int]:
    """Alpha where the strokes are."""
    alpha = alpha_of(path.read_bytes())
    return alpha[KEPT[::-1]], alpha[REMOVED[::-1]]


def test_a_result_is_corrected_and_the_correction_once_more(running_service: Service, folder: Path) -> None:
    assert running_service.run("cut", "photo.png").exit_code == 0
    done = running_service.run("refine", "photo-cutout.png", "-o", "better.png", *STROKES)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "better.png\n", "")
    assert running_service.run("refine", "better.png", "-o", "shown.jpg", "--background", "#0000ff").exit_code == 0
    with Image.open("shown.jpg") as image:
        assert image.format == "JPEG"
        assert image.getpixel(REMOVED) == pytest.approx((0, 0, 255), abs=8)
    assert running_service.run("refine", "shown.jpg", "-o", "plain.png", "--plain").exit_code == 0
    assert (folder / "plain.png").read_bytes() == (folder / "better.png").read_bytes()
    assert seen_in(folder / "better.png") == (255, 0)


def test_results_are_known_by_task_or_by_their_folders_journal(running_service: Service, folder: Path) -> None:
    cut = running_service.run("cut", "photo.png", "-o", "out/", "--json")
    uid = json.loads(cut.stdout.splitlines()[0])["task"]
    by_task = running_service.run("refine", uid, "-o", "a.png", *STROKES, "--json")
    assert json.loads(by_task.stdout).keys() >= {"source", "target", "task", "confidence"}
    assert running_service.run("refine", "out/photo.png", "-o", "out/photo.png", *STROKES).exit_code == 0
    assert (folder / "out" / "photo.png").read_bytes() == (folder / "a.png").read_bytes()
    kept = running_service.run("cut", "photo.png", "-o", "out/", "--mask")
    assert (kept.exit_code, "has changed since Cutgate wrote it, and is kept" in kept.stderr) == (1, True)
    # A stroke on top of what was written over the batch's result; then the batch is run anew.
    assert running_service.run("refine", "out/photo.png", "-o", "b.png").exit_code == 0
    assert (folder / "b.png").read_bytes() == (folder / "a.png").read_bytes()
    assert running_service.run("cut", "photo.png", "-o", "out/", "--again").exit_code == 0
    assert running_service.run("refine", "out/photo.png", "-o", "c.png").exit_code == 0
    assert seen_in(folder / "c.png") == (0, 255)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["photo.png"], "no service is known to have made photo.png"),
        (["photo.png", "--box", "1,2,3,4", "--model", "fast"], "--box, --model: a service cannot change that"),
        (["photo.png", "--keep", "1,2,3"], "'1,2,3' is no stroke: give points in pixels, such as '120,80 140,95'"),
        (["photo.png", "--keep", "nan,2"], "is no stroke"),
        (["photo.png", "--keep", ""], "is no stroke"),
    ],
)
def test_what_a_service_cannot_do_is_said(service: Service, folder: Path, arguments: list[str], said: str) -> None:
    done = service.run("refine", *arguments, "-o", "out.png")
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert not (folder / "out.png").exists()


def test_a_task_that_nobody_knows(service: Service) -> None:
    done = service.run("refine", "0" * 20, "-o", "out.png")
    assert (done.exit_code, "does not know the task" in done.stderr) == (1, True), done.stderr


def test_without_a_service_the_picture_is_cut_out_first(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in tiny_environment(tmp_path_factory.mktemp("tiny")).items():
        monkeypatch.setenv(name, value)
    levels = np.full((64, 64, 3), 255, np.uint8)
    levels[16:48, 16:48] = 20
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    (folder / "photo.png").write_bytes(file.getvalue())
    done = run("refine", "photo.png", "-o", "out.png", "--keep", "5,5", "--remove", "32,32", "--radius", "3")
    assert (done.exit_code, done.stdout) == (0, "out.png\n")
    alpha = alpha_of((folder / "out.png").read_bytes())
    assert (alpha[5, 5], alpha[32, 32]) == (255, 0)
    assert "is a picture or another one's result" in run("refine", "photo.png", "-o", "photo.png").stderr
    assert "no stack runs in" in run("refine", "0" * 20, "-o", "a.png").stderr
