"""`cutgate cut` with a real gateway: results, one-line errors, exit codes, a summary."""

import json
import os
import pty
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutgate import PictureEmpty
from cutgate.batches.journal import JOURNAL_NAME
from tests.cutgate.conftest import Service, run, working
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("bare_environment")


def results(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {JOURNAL_NAME}


def test_options_reach_the_service(service: Service, photos: list[Path], tmp_path: Path) -> None:
    options = (
        "--mask",
        "--box",
        "1,2,7,8",
        "--erode-size",
        "3",
        "--hair",
        "off",
        "--holes",
        "fill",
        "--timeout",
        "0",
    )
    result = service.run("cut", photos[0], "-o", tmp_path / "out.png", *options)
    spec = service.gateway.claim().spec
    assert spec.box is not None
    assert (spec.box.left_px, spec.box.bottom_px, spec.erode_px) == (1, 8, 3)
    assert (spec.refinement, spec.output, spec.holes) == ("off", "mask", "fill")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "is still Queuing after 0 s" in result.stderr


def test_one_bad_picture_stops_no_other(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    photos[1].write_bytes(b"no picture")
    result = worked_service.run("cut", *photos, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert results(tmp_path / "out") == {"a.png", "c.png"}
    assert result.stderr.startswith(f"Error: {photos[1]}: the bytes are not ")
    first, *others = result.stderr.splitlines()
    assert first.endswith(" (Params [RawImage] not available, code 230)")
    assert others == ["2 saved, 1 failed."]


def test_the_private_key_may_lie_in_a_file(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{PRIVATE_KEY}\n")
    account = ("--url", worked_service.url, "--public-key", PUBLIC_KEY, "--private-key-file", tmp_path / "key")
    assert run("cut", photos[0], "-o", tmp_path / "out.png", *account).exit_code == 0


def test_ctrl_c_ends_the_wait(service: Service, photos: list[Path], tmp_path: Path) -> None:
    with service.start("cut", *photos, "-o", tmp_path / "out") as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == len(photos))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=4)[1]  # less than the service may hold an answer back
    assert (process.returncode, said.strip()) == (130, "Error: interrupted; the same command goes on where it was")


@pytest.fixture
def subjectless_service(service: Service) -> Iterator[Service]:
    """A service that finds a subject in the first picture and in no other."""
    with working(service, png(), subjects=[True]):
        yield service


def test_empty_results_are_told(subjectless_service: Service, photos: list[Path], tmp_path: Path) -> None:
    command: list[str | Path] = ["cut", *photos, "-o", tmp_path / "out", "--at-once", "1"]
    for state in ("saved", "kept"):
        lines = [json.loads(line) for line in subjectless_service.run(*command, "--json").stdout.splitlines()]
        assert [(line["state"], line["subject"]) for line in lines[:-1]] == [
            (state, found) for found in (True, False, False)
        ]
        assert (lines[-1]["summary"][state], lines[-1]["summary"]["no_subject"]) == (3, 2)
    result = subjectless_service.run(*command)
    assert result.exit_code == 0
    assert f"Warning: {photos[1]}: no subject was found, the result is clear; --box says where one is" in (
        result.stderr
    )
    assert result.stderr.endswith("0 saved, 3 already there, 2 of them without a subject.\n")
    assert subjectless_service.run(*command, "--fail-on-empty").exit_code == 3


@pytest.fixture
def unsure_service(service: Service) -> Iterator[Service]:
    """A service that is unsure of the second picture, and of a fourth."""
    with working(service, png(), confidences=[0.9, 0.59, 0.6, 0.2]):
        yield service


class TestReview:
    """Results that are likely to be wrong go into a folder of their own."""

    def command(self, photos: list[Path], *options: str | Path) -> list[str | Path]:
        folder = photos[0].parent
        review = ("--review-below", "0.6", "--review-dir", folder / "review")
        return ["cut", *photos, "-o", folder / "out", "--at-once", "1", *review, *options]

    def test_they_are_put_there_once(self, unsure_service: Service, photos: list[Path], tmp_path: Path) -> None:
        result = unsure_service.run(*self.command(photos))
        aside = tmp_path / "review" / "b.png"
        assert (result.exit_code, results(tmp_path / "out"), results(tmp_path / "review")) == (
            *(0, {"a.png", "c.png"}),
            {"b.png"},
        )
        assert result.stdout.splitlines()[1] == str(aside)
        assert result.stderr == f"For review (confidence 0.59): {aside}\n3 saved, 1 for review.\n"
        *lines, summary = map(json.loads, unsure_service.run(*self.command(photos), "--json").stdout.splitlines())
        assert [(line["state"], line["confidence"], line["review"]) for line in lines] == [
            *[("kept", 0.9, False), ("kept", 0.59, True)],
            ("kept", 0.6, False),
        ]
        assert (summary["summary"]["review"], unsure_service.gateway.store.booked(ACCOUNT)) == (1, 3)

    def test_one_that_was_moved_back_is_done(
        self, unsure_service: Service, photos: list[Path], tmp_path: Path
    ) -> None:
        unsure_service.run(*self.command(photos))
        (tmp_path / "review" / "b.png").rename(tmp_path / "out" / "b.png")
        assert unsure_service.run(*self.command(photos)).stderr.endswith("0 saved, 3 already there.\n")

    def test_a_new_result_leaves_no_old_one(
        self, unsure_service: Service, photos: list[Path], tmp_path: Path
    ) -> None:
        unsure_service.run(*self.command(photos))
        unsure_service.run(*self.command(photos, "--hair", "off"))  # the first picture is the unsure one now
        assert (results(tmp_path / "out"), results(tmp_path / "review")) == ({"b.png", "c.png"}, {"a.png"})
        (tmp_path / "review" / "a.png").write_bytes(b"retouched")
        result = unsure_service.run(*self.command(photos[:1]))
        assert f"{tmp_path / 'review' / 'a.png'} has changed since Cutgate wrote it" in result.stderr
        assert (tmp_path / "review" / "a.png").read_bytes() == b"retouched"

    def test_a_folder_beneath_the_pictures_holds_no_pictures(
        self, unsure_service: Service, photos: list[Path]
    ) -> None:
        folder = photos[0].parent
        command = self.command([folder])
        unsure_service.run(*command)
        assert unsure_service.run(*command).stderr.endswith("0 saved, 3 already there, 1 for review.\n")

    def test_no_picture_is_overwritten(self, unsure_service: Service, photos: list[Path]) -> None:
        folder = photos[0].parent
        names = ("-o", folder / "out", "--review-below", "1", "--review-dir", folder)
        result = unsure_service.run("cut", *photos, *names)
        assert (result.exit_code, photos[0].read_bytes()) == (1, png())
        assert "a.png" in result.stderr

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["-o", "out/", "--review-below", "0.6"], "--review-below and --review-dir need each other"),
            (["-o", "out/", "--review-dir", "review"], "--review-below and --review-dir need each other"),
            (
                ["--review-below", "0.6", "--review-dir", "review"],
                "--review-dir is for results in a folder: add -o",
            ),
            (
                ["-o", "out/", "--review-below", "0.6", "--review-dir", "out"],
                "another folder than that of -o, out",
            ),
            (["-o", "out/", "--review-below", "60", "--review-dir", "review"], "60.0 is not in the range 0<=x<=1"),
        ],
    )
    def test_what_contradicts_itself(self, photos: list[Path], options: list[str], said: str) -> None:
        result = run("cut", photos[0], *options)
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())


@pytest.fixture
def here(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of `a.png`, `b.png` and `c.jpg`, which is the current one."""
    folder = photos[0].parent
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("named", [(), ("-o", "new/cutout.png")])
def test_a_result_is_kept_or_replaced(worked_service: Service, here: Path, named: tuple[str, ...]) -> None:
    target = named[-1] if named else "a-cutout.png"

    def cut(*options: str) -> tuple[int, str, str, int]:
        result = worked_service.run("cut", "a.png", *named, *options)
        return result.exit_code, result.stdout, result.stderr, worked_service.gateway.store.booked(ACCOUNT)

    there = f"Already there: {target} (--again makes it anew)\n"
    assert cut() == (0, f"{target}\n", "", 1)
    assert cut() == (0, "", there, 1)
    assert cut("--hair", "off") == (0, f"{target}\n", f"Overwrote {target}\n", 2)
    (here / target).write_bytes(b"edited")
    assert cut("--hair", "off") == (0, "", there, 2)
    code, printed, said, paid = cut()
    assert (code, printed, paid) == (1, "", 2)
    assert f"{target} has changed since Cutgate wrote it, and is kept; replace it with --again" in said
    assert (here / target).read_bytes() == b"edited"
    assert cut("--again") == (0, f"{target}\n", "", 3)
    (here / "a.png").write_bytes(png(9, 9))
    assert cut() == (0, f"{target}\n", f"Overwrote {target}\n", 4)


def test_overwriting_a_file_of_others_is_told(worked_service: Service, here: Path) -> None:
    (here / "out.png").write_bytes(b"the caller's")
    (here / "b.png").write_bytes((here / "a.png").read_bytes())
    stamp = (here / "a.png").stat().st_mtime_ns
    os.utime(here / "b.png", ns=(stamp, stamp))
    for name in ("a.png", "b.png"):
        result = worked_service.run("cut", name, "-o", "out.png", "--json")
        line, _ = map(json.loads, result.stdout.splitlines())
        assert (line["source"], line["state"], line["replaced"]) == (name, "saved", True)
    assert worked_service.gateway.store.booked(ACCOUNT) == 2


def test_results_beside_pictures_of_one_stem_stay_apart(worked_service: Service, here: Path) -> None:
    (here / "a.jpg").write_bytes(png(9, 9))
    for name, target in (("a.png", "a-cutout.png"), ("a.jpg", "a.jpg-cutout.png")):
        assert worked_service.run("cut", name).stdout == f"{target}\n"
        assert worked_service.run("cut", here / ".." / here.name / name).stderr.startswith("Already there: ")
    assert worked_service.gateway.store.booked(ACCOUNT) == 2


@pytest.mark.parametrize("pictures", [("a.png",), ("a.png", "b.png", "c.jpg", "-o", "out")], ids=len)
def test_killed_commands_pay_once(service: Service, here: Path, pictures: tuple[str, ...]) -> None:
    count = 1 if len(pictures) == 1 else 3
    with service.start("cut", *pictures) as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == count)
        process.kill()
    for _ in range(count):
        service.gateway.finish_one(b"done")
    assert len(service.run("cut", *pictures).stdout.splitlines()) == count
    assert service.gateway.store.booked(ACCOUNT) == count


@pytest.mark.usefixtures("quick_watch")
def test_an_empty_file_is_not_sent(worked_service: Service, here: Path) -> None:
    (here / "b.png").write_bytes(b"")
    result = worked_service.run("cut", "b.png")
    assert (result.exit_code, result.stderr) == (1, "Error: b.png is empty (0 bytes)\n")
    with worked_service.client() as client, pytest.raises(PictureEmpty, match=r"^b\.png is empty \(0 bytes\)$"):
        client.remove_background("b.png")
    (here / "in").mkdir()
    (here / "b.png").rename(here / "in" / "b.png")
    result = worked_service.run("watch", "in", "-o", "out", "--once")
    assert (result.exit_code, result.stderr) == (1, f"Error: {here / 'in' / 'b.png'} is empty (0 bytes)\n")
    assert worked_service.gateway.store.booked(ACCOUNT) == 0


def said_on_a_terminal(service: Service, *arguments: str | Path) -> str:
    """What the command shows where standard error is a terminal."""
    ours, theirs = pty.openpty()
    terminal = {"TERM": "dumb", "COLUMNS": "120"}
    with service.start(*arguments, stderr=theirs, **terminal) as process:
        os.close(theirs)
        shown = bytearray()
        try:
            while some := os.read(ours, 4096):
                shown += some
        except OSError:  # the last process that had the terminal is gone
            pass
        process.wait(20)
    os.close(ours)
    return shown.decode()


def test_a_summary_follows_several_pictures(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    photos[1].write_text("no picture")
    shown = said_on_a_terminal(worked_service, "cut", *photos, "-o", tmp_path / "out")
    assert "2 saved, 1 failed." in shown


def test_pictures_that_were_not_begun_are_counted(photos: list[Path], service: Service, tmp_path: Path) -> None:
    result = service.run("cut", *photos, "-o", tmp_path / "out", "--at-once", "1", private_key="no")
    assert result.exit_code == 1
    assert "2 pictures were not begun; the same command goes on with them.\n" in result.stderr
