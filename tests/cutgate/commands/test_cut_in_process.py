"""`cutgate cut` where no service runs: this process does it. The tiny network, which finds dark squares."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from cutgate.batches.journal import JOURNAL_NAME
from tests.cutgate.conftest import run
from tests.pictures.tiny_network import tiny_environment, write_tiny_model

pytestmark = pytest.mark.usefixtures("bare_environment")


def photo(*, subject: bool = True, side_px: int = 64) -> bytes:
    levels = np.full((side_px, side_px, 3), 255, np.uint8)
    if subject:
        levels[side_px // 4 : -side_px // 4, side_px // 4 : -side_px // 4] = 20
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two photos in it."""
    for name, value in (tiny_environment(tmp_path / "tiny") | {"CUTGATE_THREADS": "2"}).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("a.png", "b.jpg"):
        (folder / name).write_bytes(photo())
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {JOURNAL_NAME}


def piped(*arguments: str, content: bytes = b"", **streams: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run the command in a process of its own, with a picture on standard input."""
    command = [sys.executable, "-m", "cutgate", *arguments]
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    if "stdin" not in streams:
        given["input"] = content
    done: Any = subprocess.run(command, timeout=100, check=False, **given)
    return cast("subprocess.CompletedProcess[bytes]", done)


def test_one_photo_goes_beside_itself_and_no_stack_is_started(folder: Path, tmp_path: Path) -> None:
    done = piped("cut", "a.png")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a-cutout.png\n", b"")
    assert names(folder) == {"a.png", "b.jpg", "a-cutout.png"}
    assert not (tmp_path / "home").exists()
    with Image.open("a-cutout.png") as cutout:
        assert (cutout.mode, cutout.getpixel((0, 0))[3], cutout.getpixel((32, 32))[3]) == ("RGBA", 0, 255)  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--foreground-threshold", "10"], ""),
        (["--background-threshold", "250"], ""),
        (
            ["--foreground-threshold", "10", "--background-threshold", "11"],
            "--background-threshold must not exceed --foreground-threshold",
        ),
    ],
)
def test_thresholds_clash_only_if_both_are_asked_for(options: list[str], said: str) -> None:
    result = run("cut", "a.png", *options)
    assert (result.exit_code != 0, said in result.output) == (bool(said), True), result.output


def test_several_go_each_beside_its_own(folder: Path) -> None:
    (folder / "summer").mkdir()
    (folder / "summer" / "c.png").write_bytes(photo())
    (folder / "a.webp").write_bytes(photo())
    result = run("cut", "a.png", "a.webp", "b.jpg", "summer/c.png", "--mask", "--format", "webp")
    assert result.exit_code == 0, result.output
    assert set(result.stdout.split()) == {
        "a.png-mask.webp",
        "a.webp-mask.webp",
        "b-mask.webp",
        "summer/c-mask.webp",
    }
    assert all(Path(name).exists() for name in result.stdout.split())
    assert not (folder / JOURNAL_NAME).exists()
    assert result.stderr == "4 saved.\n"


def test_a_result_beside_its_picture_never_replaces_a_picture(folder: Path) -> None:
    (folder / "a-cutout.png").write_bytes(b"a picture of the caller's")
    result = run("cut", "a.png", "a-cutout.png")
    assert (result.exit_code, "a-cutout.png is a picture or another one's result" in result.stderr) == (1, True)
    assert (folder / "a-cutout.png").read_bytes() == b"a picture of the caller's"


def test_a_folder_wants_a_folder(folder: Path) -> None:
    result = run("cut", folder)
    assert (result.exit_code, "add -o FOLDER" in result.stderr) == (2, True)


def test_a_folder_without_pictures_says_what_is_taken(folder: Path) -> None:
    (folder / "raw").mkdir()
    (folder / "raw" / "a.CR2").write_bytes(b"raw")
    result = run("cut", "raw", "-o", "out")
    said = " ".join(result.stderr.split())
    assert (result.exit_code, ".avif, .bmp" in said, "RAW files have to become one" in said) == (2, True, True)


@pytest.mark.parametrize(
    ("name", "kind", "corner"), [("c.webp", "WEBP", (0, 0, 0, 0)), ("c.jpg", "JPEG", (255, 255, 255))]
)
def test_the_suffix_says_the_format(folder: Path, name: str, kind: str, corner: tuple[int, ...]) -> None:
    result = run("cut", "a.png", "-o", name)
    assert (result.exit_code, result.stdout) == (0, f"{name}\n"), result.output
    with Image.open(folder / name) as picture:
        assert (picture.format, picture.getpixel((0, 0))) == (kind, corner)


def test_a_name_without_a_suffix_may_be_a_folders_and_is_asked_for(folder: Path) -> None:
    result = run("cut", "a.png", "-o", "out")
    assert (result.exit_code, "name a file out.png, or a folder out/" in result.stderr) == (2, True), result.stderr
    assert names(folder) == {"a.png", "b.jpg"}
    assert run("cut", "a.png", "-o", "out/").stdout == "out/a.png\n"
    assert run("cut", "b.jpg", "-o", "out").stdout == "out/b.png\n"
    assert run("cut", "a.png", "-o", "named", "--format", "png").stdout == "named\n"
    assert run("cut", "a.png", "-o", "named", "--again").stdout == "named\n"


@pytest.mark.parametrize("keep_rights", [True, False])
def test_whose_picture_it_is_is_kept_where_it_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, keep_rights: bool
) -> None:
    monkeypatch.setenv("CUTGATE_KEEP_RIGHTS", str(keep_rights))
    with Image.open("a.png") as picture:
        picture.getexif()[315] = "Ann Artist"
        picture.save("signed.png", exif=picture.getexif())
    assert run("cut", "signed.png", "-o", "c.png").exit_code == 0
    with Image.open("c.png") as picture:
        assert dict(picture.getexif()) == ({315: "Ann Artist"} if keep_rights else {})


def test_options_are_those_of_a_service(folder: Path) -> None:
    Image.new("RGB", (3, 2), "blue").save("behind.png")
    options = ("--crop-margin", "2", "--background-image", "behind.png", "--box", "16,16,40,48", "--hair", "off")
    result = run("cut", "a.png", "-o", "c.png", *options)
    assert result.exit_code == 0, result.output
    with Image.open("c.png") as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((28, 36), (0, 0, 255, 255))


def test_what_is_made_of_a_cut_out(folder: Path) -> None:
    Image.new("RGB", (3, 2), "blue").save("behind.png")
    options = ("--roi", "0 0 100% 75%", "--crop-margin", "50%", "--scale", "50%", "--position", "0 100%")
    more = ("--shadow", "30%", "--opaque-inside", "--megapixels", "0.001", "--background-image", "behind.png")
    result = run("cut", "a.png", "-o", "c.png", *options, *more)
    assert result.exit_code == 0, result.output
    with Image.open("c.png") as picture:
        assert picture.size == (31, 31)
        assert picture.getpixel((30, 0)) == (0, 0, 255, 255)
        assert picture.getpixel((2, 28)) == (20, 20, 20, 255)


def test_a_pipe_in_and_a_pipe_out(folder: Path) -> None:
    for arguments in (("cut", "-"), ("cut", "a.png", "-o", "-")):
        done = piped(*arguments, content=photo())
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        with Image.open(io.BytesIO(done.stdout)) as cutout:
            assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (64, 64))
    assert piped("cut", "-", "-o", "c.webp", content=photo()).stdout == b"c.webp\n"
    assert names(folder) == {"a.png", "b.jpg", "c.webp"}


def test_what_comes_by_a_pipe_and_is_no_picture_leaves_nothing(folder: Path) -> None:
    done = piped("cut", "-", content=b"no picture")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error: -: the picture could not be cut out: the bytes are not a JPEG")
    assert names(folder) == {"a.png", "b.jpg"}


@pytest.mark.parametrize(
    ("stream", "arguments"), [("stdout", ("cut", "a.png", "-o", "-")), ("stdin", ("cut", "-", "-o", "c.png"))]
)
def test_a_terminal_is_no_picture(folder: Path, stream: str, arguments: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    try:
        streams: dict[str, Any] = {stream: theirs}
        done = piped(*arguments, **streams)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (done.returncode, b"is a terminal" in done.stderr) == (2, True), done.stderr
    assert names(folder) == {"a.png", "b.jpg"}


def test_no_subject_is_told_counted_and_may_fail(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(photo(subject=False))
    result = run("cut", "a.png", "b.jpg", "-o", "out")
    assert result.exit_code == 0
    assert "Warning: b.jpg: no subject was found, the result is clear" in result.stderr
    assert result.stderr.endswith("2 saved, 1 of them without a subject.\n")
    result = run("cut", "a.png", "b.jpg", "-o", "out", "--json", "--fail-on-empty")
    *lines, summary = map(json.loads, result.stdout.splitlines())
    assert {line["source"]: (line["state"], line["subject"], line["task"]) for line in lines} == {
        "a.png": ("kept", True, None),
        "b.jpg": ("kept", False, None),
    }
    assert (result.exit_code, summary["summary"]["no_subject"]) == (3, 1)
    (folder / "c.png").write_bytes(b"no picture")
    assert run("cut", "c.png", "b.jpg", "-o", "out", "--fail-on-empty").exit_code == 1


def test_a_folder_is_remembered_whoever_does_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("cut", ".", "-o", "out").stderr == "2 saved.\n"
    journal = (folder / "out" / JOURNAL_NAME).read_text()
    (folder / "out" / JOURNAL_NAME).write_text(
        journal.replace(', "subject_found": true', "")
    )  # of a version before
    assert run("cut", ".", "-o", "out").stderr.splitlines()[-1] == "0 saved, 2 already there."
    (folder / "a.png").write_bytes(photo(side_px=48))
    assert run("cut", ".", "-o", "out").stdout == "out/a.png\n"
    # Another model's results are others.
    tiny = Path(os.environ["CUTGATE_MODELS_DIR"])
    for suffix in ("onnx", "json"):
        (tiny / f"other.{suffix}").write_bytes((tiny / f"tiny.{suffix}").read_bytes())
    monkeypatch.setenv("CUTGATE_MODEL", "other")
    assert run("cut", ".", "-o", "out").stderr.endswith("\n2 saved.\n")


def test_a_network_that_cannot_be_had_is_said_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(os.environ["CUTGATE_MODELS_DIR"], "tiny.onnx").write_bytes(b"no network")
    result = run("cut", "a.png", "b.jpg", "--json")
    [error] = [json.loads(line)["error"] for line in result.stdout.splitlines()]
    assert (result.exit_code, error["code"], "tiny.onnx" in error["message"]) == (1, "NetworkUnavailable", True)
    assert names(folder) == {"a.png", "b.jpg"}


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(folder: Path) -> None:
    """While a picture is being computed: native code must not abort the process that ends around it."""
    album = folder / "album"
    album.mkdir()
    for number in range(6):
        (album / f"{number}.png").write_bytes(photo(side_px=1500))
    command = [sys.executable, "-m", "cutgate", "cut", "album", "-o", "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "Error: interrupted; the same command goes on where it was\n")
    done = {path.name for path in (folder / "out").glob("*.png")}
    assert 1 <= len(done) < 6
    result = run("cut", "album", "-o", "out")
    assert result.exit_code == 0, result.output
    assert names(folder / "out") == {f"{number}.png" for number in range(6)}
    assert result.stderr.count("Already there: ") >= 1


def test_a_folder_is_watched_without_a_service(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(photo(subject=False))
    result = run("watch", ".", "-o", "out", "--once", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert {Path(line["source"]).name: line["subject"] for line in lines} == {"a.png": True, "b.jpg": False}
    assert names(folder / "out") == {"a.png", "b.png"}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_watch_without_a_service_keeps_both_of_two_that_differ_in_their_suffix(
    folder: Path, at_once: bool
) -> None:
    (folder / "b.jpg").rename(folder / "a.jpg")
    (folder / "a.png").write_bytes(photo(subject=False))
    if not at_once:
        (folder / "a.png").rename(folder / "later")
        assert run("watch", ".", "-o", "out", "--once").exit_code == 0
        (folder / "later").rename(folder / "a.png")
    for _ in range(2):
        assert run("watch", ".", "-o", "out", "--once").exit_code == 0
    first = "a.jpg.png" if at_once else "a.png"
    assert names(folder / "out") == {first, "a.png.png"}
    with Image.open(folder / "out" / first) as subject, Image.open(folder / "out" / "a.png.png") as nothing:
        assert [picture.getchannel("A").getextrema() for picture in (subject, nothing)] == [(0, 255), (0, 0)]


def test_a_single_result_is_remembered_without_a_service(folder: Path) -> None:
    assert run("cut", "a.png").stdout == "a-cutout.png\n"
    assert run("cut", "a.png").stderr == "Already there: a-cutout.png (--again makes it anew)\n"
    assert run("cut", folder / "a.png").stdout == ""
    assert names(folder) == {"a.png", "b.jpg", "a-cutout.png"}
    assert b"Error: standard input is empty: pipe a picture into it" in piped("cut", "-").stderr


def test_a_shadow_needs_no_opacity(folder: Path) -> None:
    assert run("cut", "a.png", "-o", "a.webp", "--shadow").exit_code == 0
    assert run("cut", "a.png", "-o", "b.webp", "--shadow", "50%").exit_code == 0
    assert (folder / "a.webp").read_bytes() == (folder / "b.webp").read_bytes()


def test_a_model_can_be_named(folder: Path) -> None:
    write_tiny_model(Path(os.environ["CUTGATE_MODELS_DIR"]), "bright", bright=True)
    corners = []
    for options in ((), ("--model", "bright")):
        assert run("cut", "a.png", "-o", "c.png", *options).exit_code == 0
        with Image.open("c.png") as picture:
            corners.append(picture.getchannel("A").getpixel((0, 0)))
    assert corners == [0, 255]
    for options in ((), ("--model", "bright")):  # another model's results are others
        assert run("cut", "a.png", "b.jpg", "-o", "out", *options).stderr.endswith("2 saved.\n")


def test_what_is_no_model_and_wrong_settings_are_said_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("cut", "a.png", "--model", "no/model")
    assert (result.exit_code, "Error: 'no/model' must be a preset" in result.stderr) == (2, True), result.stderr
    monkeypatch.setenv("CUTGATE_THREADS", "none")
    result = run("cut", "a.png")
    assert (result.exit_code, "CUTGATE_THREADS: must be an integer" in result.stderr) == (2, True)
    assert names(folder) == {"a.png", "b.jpg"}


def test_a_service_is_not_asked_for_a_model(folder: Path) -> None:
    result = run("cut", "a.png", "--model", "best", "--url", "http://127.0.0.1:9", "--public-key", "a")
    assert (result.exit_code, names(folder)) == (2, {"a.png", "b.jpg"})
    assert "each of its accounts has a model" in " ".join(result.stderr.split())


def test_a_picture_has_so_much_time(folder: Path) -> None:
    (folder / "b.jpg").write_bytes(photo(side_px=2000))
    result = run("cut", "b.jpg", "--timeout", "0.001")
    assert (result.exit_code, names(folder)) == (1, {"a.png", "b.jpg"})
    assert "b.jpg: the picture could not be cut out: it took longer than 0.001 s" in result.stderr
    assert run("cut", "b.jpg", "--timeout", "100").exit_code == 0
