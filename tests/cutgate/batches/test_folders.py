"""Many pictures into a folder: each is done once, and what is remembered of single results."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from cutgate import Client, ConversionFailed, JobTimeout, NameTaken, Progress, Report, Retries, ServiceError
from cutgate.batches.journal import JOURNAL_NAME, MOST_SHARED, Entry, Journal, SharedJournal
from cutgate.errors import DataFileBroken, FolderInUse
from cutgate.jobs.errors import SourceUndecodable
from tests.cutgate.conftest import Service
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.servers.flaky import Fault, flaky
from tests.waiting import eventually

QUICK = Retries(attempts=20, first_delay_seconds=0.005, longest_delay_seconds=0.02)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    for number in range(12):
        path = folder / ("summer" if number % 3 else "winter/snow") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(8 + number, 8))
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(png())
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png())
    return path


def done(service: Service) -> int:
    """Pictures that the account has paid for."""
    return service.gateway.store.booked(ACCOUNT)


def results(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {JOURNAL_NAME}


def test_a_folder_is_mirrored_and_done_once(worked_service: Service, album: Path, out: Path) -> None:
    seen: list[Progress] = []
    with worked_service.client() as client:
        report = client.remove_backgrounds(album, out, on_progress=seen.append)
        assert report.ok
        assert len(report.of("saved")) == 12
        repeated = client.remove_backgrounds(album, out)
    assert results(out) == {path.relative_to(album).as_posix() for path in album.glob("*/**/*.png")}
    assert [(progress.done, progress.total) for progress in seen] == [(n, 12) for n in range(1, 13)]
    assert (len(repeated.of("kept")), repeated.ok, done(worked_service)) == (12, True, 12)


def test_what_has_changed_is_made_anew_and_nothing_else(worked_service: Service, album: Path, out: Path) -> None:
    (album / "summer" / "1.png").with_suffix(".jpg").write_bytes(png())
    with worked_service.client() as client:
        client.remove_backgrounds(album, out)
        (album / "summer" / "1.png").write_bytes(png(30, 30))
        (out / "summer" / "2.png").unlink()
        report = client.remove_backgrounds(album, out)
        # The picture that changed is handed in; the result that was lost is fetched again.
        assert {outcome.target.name for outcome in report.of("saved")} == {"1.png.png", "2.png"}
        assert done(worked_service) == 14
        assert len(client.remove_backgrounds(album, out, only_mask=True).of("saved")) == 13
        assert len(client.remove_backgrounds(album, out, only_mask=True, again=True).of("saved")) == 13
    assert done(worked_service) == 14 + 26


def test_no_fault_of_the_network_has_a_picture_done_twice(worked_service: Service, album: Path, out: Path) -> None:
    with flaky(worked_service.url) as proxy, Client(proxy.url, PUBLIC_KEY, PRIVATE_KEY, retries=QUICK) as client:
        report = client.remove_backgrounds(album, out, at_once=5)
    assert report.ok, [str(outcome.error) for outcome in report.of("failed")]
    assert set(proxy.met) == set(Fault)
    assert (len(results(out)), done(worked_service)) == (12, 12)


def test_an_answer_that_never_came_is_asked_for_later(worked_service: Service, album: Path, out: Path) -> None:
    once = Retries(attempts=1)
    with (
        flaky(worked_service.url, [Fault.LOST]) as proxy,
        Client(proxy.url, PUBLIC_KEY, PRIVATE_KEY, retries=once) as client,
    ):
        report = client.remove_backgrounds(album, out, at_once=1)
    # After three pictures without an answer the service is taken to be away.
    assert (len(report.of("failed")), report.untried, report.ok) == (3, 9, False)
    assert all(outcome.may_pass for outcome in report.outcomes)
    with worked_service.client() as client:
        assert client.remove_backgrounds(album, out).ok
    assert done(worked_service) == 12


def test_pictures_that_a_proxy_finds_too_large_do_not_hold_the_others_up(tmp_path: Path, out: Path) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(5)]
    for path in pictures:
        path.write_bytes(png())
    refuse = httpx.MockTransport(lambda _: httpx.Response(413, text="<html>"))
    with Client("http://a.example", "public", "private", transport=refuse) as client:
        report = client.remove_backgrounds(pictures, out)
    assert (len(report.of("failed")), report.untried) == (5, 0)
    assert not any(outcome.may_pass for outcome in report.outcomes)


def test_a_wrong_key_is_said_once(worked_service: Service, album: Path, out: Path) -> None:
    with worked_service.client("wrong") as client:
        report = client.remove_backgrounds(album, out, at_once=1)
    [failed] = report.outcomes
    assert isinstance(failed.error, ServiceError)
    assert (failed.error.code, failed.error.advice, report.untried) == (171, "check the private key", 11)


def test_a_wrong_key_in_between_has_nothing_done_twice(service: Service, photo: Path, out: Path) -> None:
    with service.client() as client, service.client("wrong") as stranger:
        [first] = client.remove_backgrounds(photo, out, timeout_seconds=0).outcomes
        service.gateway.finish_one(b"done")
        [second] = stranger.remove_backgrounds(photo, out).outcomes
        [third] = client.remove_backgrounds(photo, out).outcomes
    assert (second.hopeless, third.uid, third.state, done(service)) == (True, first.uid, "saved", 1)


def test_a_bad_picture_fails_alone_and_is_tried_again(worked_service: Service, tmp_path: Path, out: Path) -> None:
    good, bad, missing = (tmp_path / f"{name}.png" for name in ("good", "bad", "missing"))
    good.write_bytes(png())
    bad.write_text("no picture")
    with worked_service.client() as client:
        report = client.remove_backgrounds([bad, good, missing], out)
        [failed, absent] = sorted(report.of("failed"), key=lambda outcome: outcome.source)
        assert isinstance(absent.error, FileNotFoundError)
        assert (failed.source, failed.uid, failed.error and "RawImage" in str(failed.error)) == (bad, None, True)
        bad.write_bytes(png(9, 9))
        assert len(client.remove_backgrounds([bad, good], out).of("kept")) == 1
    assert results(out) == {"good.png", "bad.png"}


def test_failed_jobs_are_handed_in_anew_and_others_waited_for(service: Service, photo: Path, out: Path) -> None:
    def call(client: Client) -> Report:
        return client.remove_backgrounds(photo, out, timeout_seconds=0)

    with service.client() as client:
        [first] = call(client).outcomes
        assert isinstance(first.error, JobTimeout)
        service.gateway.fail_one(SourceUndecodable("the picture ends too soon").facts())
        [second] = call(client).outcomes
        assert (second.uid, second.state) == (first.uid, "failed")
        [third] = call(client).outcomes
        assert third.uid != first.uid
        service.gateway.finish_one(b"done")
        [last] = call(client).outcomes
    assert (last.uid, last.state, (out / "a.png").read_bytes()) == (third.uid, "saved", b"done")


def test_a_forgotten_task_is_handed_in_anew(worked_service: Service, photo: Path, out: Path) -> None:
    with worked_service.client() as client:
        assert client.remove_backgrounds(photo, out).ok
        (out / "a.png").unlink()
        journal = out / JOURNAL_NAME
        [uid] = [outcome.uid for outcome in client.remove_backgrounds(photo, out).outcomes]
        assert uid is not None
        journal.write_text(journal.read_text().replace(uid, "d5ari00q5cu0v880200g").replace("saved", "begun"))
        [outcome] = client.remove_backgrounds(photo, out).outcomes
    assert (outcome.state, outcome.uid != uid, done(worked_service)) == ("saved", True, 2)


def test_names_alike_but_for_suffix_stay_apart(worked_service: Service, tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    with worked_service.client() as client:
        client.remove_backgrounds(folder, out)
        (folder / "a.jpg").write_bytes(png())  # comes first by name, and must not take the other one's result
        report = client.remove_backgrounds(folder, out)
    found = {(outcome.source.name, outcome.target.name, outcome.state) for outcome in report.outcomes}
    assert found == {("a.jpg", "a.jpg.png", "saved"), ("a.png", "a.png", "kept")}


def test_results_of_one_stem_say_whose_they_are(worked_service: Service, tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "a.jpg", "b.jpg"):
        (folder / name).write_bytes(png())
    with worked_service.client() as client:
        client.remove_backgrounds(folder, out)
        assert results(out) == {"a.jpg.png", "a.png.png", "b.png"}
        (folder / "a.png").unlink()
        again = next(
            outcome
            for outcome in client.remove_backgrounds(folder, out).outcomes
            if outcome.source.name == "a.jpg"
        )
    assert (again.target.name, again.state) == ("a.jpg.png", "kept")


def test_a_callers_function_makes_files(worked_service: Service, tmp_path: Path, photo: Path, out: Path) -> None:
    bad = tmp_path / "b.png"
    bad.write_bytes(png())
    turn = iter([b"converted"])

    def convert(content: bytes) -> bytes:
        assert content == b"done"
        return next(turn, None) or bytes([256])

    with worked_service.client() as client:
        report = client.remove_backgrounds([photo, bad], out, convert=convert, suffix=".txt", at_once=1)
    assert [type(outcome.error) for outcome in report.outcomes] == [type(None), ConversionFailed]
    assert (out / "a.txt").read_bytes() == b"converted"


def test_results_replace_no_pictures(worked_service: Service, album: Path, tmp_path: Path, out: Path) -> None:
    with worked_service.client() as client:
        with pytest.raises(NameTaken, match=r"1\.png is a picture or another one's result"):
            client.remove_backgrounds(album, album)
        same = [album / "summer" / "1.png", tmp_path / "1.png"]
        same[1].write_bytes(png())
        with pytest.raises(NameTaken, match=r"1\.png is a picture or another one's result; choose another output"):
            client.remove_backgrounds(same, out)
        # The output may lie in the folder itself: it is not taken for pictures.
        for _ in range(2):
            assert len(client.remove_backgrounds(album, album / "out").outcomes) == 12


def test_two_calls_do_not_share_a_folder(service: Service, album: Path, out: Path) -> None:
    with Journal(out), service.client() as client, pytest.raises(FolderInUse, match="another call writes results"):
        client.remove_backgrounds(album, out)


def test_a_cut_off_journal_is_read_and_a_damaged_one_not(worked_service: Service, album: Path, out: Path) -> None:
    with worked_service.client() as client:
        client.remove_backgrounds(album, out)
        with (out / JOURNAL_NAME).open("ab") as file:
            file.write(b'{"target": "summer/1.p')
        assert len(client.remove_backgrounds(album, out).of("kept")) == 12
        (out / JOURNAL_NAME).write_bytes(b"\0\0\n")
        with pytest.raises(DataFileBroken, match="is damaged"):
            client.remove_backgrounds(album, out)


def test_what_a_kill_left_of_a_file_is_removed(service: Service, photo: Path, out: Path) -> None:
    with service.client() as client:
        client.remove_backgrounds(photo, out, timeout_seconds=0)
        (out / ".a.png.0123abcd.part").write_bytes(b"do")
        (out / f".{JOURNAL_NAME}.0123abcd.part").write_bytes(b"{")
        (out / ".b.png.0123abcd.part").write_bytes(b"another one's")
        service.gateway.finish_one(b"done")
        assert client.remove_backgrounds(photo, out).ok
    assert results(out) == {"a.png", ".b.png.0123abcd.part"}


def test_an_interruption_ends_the_threads(service: Service, album: Path, out: Path) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    (album / "a.png").symlink_to(os.devnull)
    with service.client() as client, pytest.raises(KeyboardInterrupt):
        client.remove_backgrounds(album, out, on_progress=interrupt)
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.endswith(".png")])


def entry(name: str) -> Entry:
    return Entry(target=name, name="a.png", fingerprint="f", request_uuid="r", state="saved")


def targets(path: Path) -> list[str]:
    return [json.loads(line)["target"] for line in path.read_bytes().splitlines()]


def test_calls_at_once_lose_no_line_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "state" / "results.jsonl"
    with SharedJournal(path) as one, SharedJournal(path) as two:
        one.note(entry("/one"))
        two.note(entry("/two"))
        with SharedJournal(path) as three:
            assert (three.find("/one"), three.find("/two")) == (entry("/one"), entry("/two"))
            three.note(replace(entry("/one"), state="failed"))
        one.note(entry("/last"))
    assert targets(path) == ["/one", "/two", "/one", "/last"]
    with SharedJournal(path):  # it is alone, and leaves out what is superseded
        assert targets(path) == ["/two", "/one", "/last"]


def test_names_are_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with SharedJournal(tmp_path / "results.jsonl") as journal:
        journal.note(entry(str(tmp_path / "a.png")))
        assert journal.find("a.png") == journal.find(str(tmp_path / "a.png")) is not None


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_SHARED >= 1_000
    monkeypatch.setattr("cutgate.batches.journal.MOST_SHARED", 2)
    path = tmp_path / "results.jsonl"
    with SharedJournal(path) as journal:
        for name in ("/one", "/two", "/three", "/one"):
            journal.note(entry(name))
    with SharedJournal(path):
        assert targets(path) == ["/three", "/one"]


def test_what_cannot_be_read_or_written_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"target": "/half\n' + json.dumps({"target": "/no"}).encode() + b"\n")
    with SharedJournal(path) as journal:
        assert journal.find("/half") is None
        journal.note(entry("/one"))
        assert journal.find("/one") == entry("/one")
    with SharedJournal(path / "beneath a file" / "results.jsonl") as journal:
        journal.note(entry("/one"))
    with SharedJournal(None) as journal:
        assert journal.note(entry("/one")) == journal.find("/one")
    assert targets(path) == ["/one"]
