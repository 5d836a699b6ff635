"""What commands of one user remember of single results, several of them at a time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cutgate.batches.journal import MOST_SHARED, Entry, SharedJournal
from tests.servers.small_disk import small_disk


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


def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as disk, SharedJournal(disk.root / "results.jsonl") as journal:
        disk.fill(leave_bytes=0)
        for number in range(200):
            journal.note(entry(f"/{number}"))
        assert journal.find("/199") == entry("/199")
