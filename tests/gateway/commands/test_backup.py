"""The commands `backup` and `restore`, and keys that are added to no installation."""

from pathlib import Path

from redis import Redis

from tests.gateway.installation import Installation


def test_keys_come_back_with_a_backup(installation: Installation, tmp_path: Path) -> None:
    added = installation.keys("add", "--name", "anna")
    copy = str(tmp_path / "copy")
    made = installation.call("backup", copy)
    assert (made.returncode, "whole and checked" in made.stderr) == (0, True), made.stderr
    assert "name a new folder" in installation.call("backup", copy).stderr
    refused = installation.call("restore", copy)
    assert (refused.returncode, "--replace" in refused.stderr) == (1, True)
    installation.keys("add", "--name", "bert")
    done = installation.call("restore", copy, "--replace")
    assert done.returncode == 0, done.stderr
    assert [key["public_key"] for key in installation.keys("list")] == [added["public_key"]]


def test_nobody_adds_keys_to_a_ledger_that_has_lost_its_data(installation: Installation) -> None:
    installation.keys("add", "--name", "anna")
    with Redis.from_url(installation.redis_url) as client:
        client.flushall()
    refused = installation.call("keys", "add", "--name", "anna")
    assert refused.returncode == 1
    assert "the ledger is not the storage's" in refused.stderr
    assert installation.call("storage", "adopt").returncode == 0
    installation.keys("add", "--name", "anna")


def test_a_folder_that_cannot_be_written_is_named(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failed = installation.call("backup", str(tmp_path / "file" / "copy"))
    assert (failed.returncode, "Not a directory" in failed.stderr) == (1, True)
    assert "no whole backup" in installation.call("restore", str(tmp_path / "nothing")).stderr
