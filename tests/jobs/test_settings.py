"""Settings: read from the environment and from files, validated at once, and silent about secrets."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from cutgate.jobs.settings import JobSettings, WrongSettings, load_settings

pytestmark = pytest.mark.usefixtures("bare_environment")


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_LEASE_SECONDS", "7.5")
    settings = JobSettings()
    assert settings.ledger_limits().lease_seconds == 7.5
    assert settings.ledger_limits().upload_retention_seconds == 30 * 86_400


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cutgate_traces_share").write_text("0.5\n")
    (tmp_path / "cutgate_redis_url").write_text("redis://:pw@host/1")
    monkeypatch.setenv("CUTGATE_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("CUTGATE_REDIS_URL", "redis://from-the-environment")
    settings = JobSettings()
    assert settings.traces_share == 0.5
    assert settings.redis_url.get_secret_value() == "redis://from-the-environment"


def test_a_missing_folder_of_secrets_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUTGATE_SECRETS_DIR", str(tmp_path / "absent"))
    with pytest.raises(SettingsError, match="CUTGATE_SECRETS_DIR does not name a folder"):
        JobSettings()


@contextmanager
def as_nobody_special() -> Iterator[int]:
    """As a user to whom modes of files apply; its number."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(10_001)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(own)


def test_a_secret_that_cannot_be_read_says_which_file_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    # The folders above `tmp_path` are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "cutgate_redis_url"
        file.write_text("redis://host")
        file.chmod(0)
        monkeypatch.setenv("CUTGATE_SECRETS_DIR", folder)
        with as_nobody_special() as user, pytest.raises(WrongSettings) as caught:
            load_settings(JobSettings)
    assert str(caught.value) == f"{file}: Permission denied; user {user} must be able to read it"


def test_secrets_are_not_shown() -> None:
    settings = JobSettings.model_validate({"redis_url": "redis://:p4ssw0rd@host/0"})
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert "p4ssw0rd" not in text


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://h",
        "unix:///tmp/r.sock",
        "sentinel://h,i:1/0?service=s",
        "rediss+sentinel://h?service=s",
    ],
)
def test_redis_urls(url: str) -> None:
    settings = JobSettings.model_validate({"redis_url": url})
    assert settings.redis_url.get_secret_value() == url


def test_sentinels_without_their_service_are_refused_without_the_password() -> None:
    with pytest.raises(ValidationError, match="service=name") as error:
        JobSettings.model_validate({"redis_url": "sentinel://:p4ssw0rd@h:26379/0"})
    assert "p4ssw0rd" not in str(error.value)


def test_a_lease_fits_into_the_job() -> None:
    with pytest.raises(ValidationError, match="lease_seconds must not exceed job_timeout_seconds"):
        JobSettings.model_validate({"lease_seconds": 60, "job_timeout_seconds": 30})


def test_the_ledgers_limits_are_the_settings() -> None:
    chosen = {"max_attempts": 5, "queue_timeout_seconds": 60, "retention_seconds": 70}
    limits = JobSettings.model_validate({**chosen}).ledger_limits()
    assert {name: getattr(limits, name) for name in chosen} == chosen


def test_sources_are_used_well_before_they_are_swept() -> None:
    settings = JobSettings.model_validate({"orphan_grace_seconds": 100})
    assert settings.ledger_limits().source_max_age_seconds == 50


def test_what_is_wrong_is_said_line_by_line_and_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_REDIS_URL", "http://:p4ssw0rd@host")
    monkeypatch.setenv("CUTGATE_LEASE_SECONDS", "-3")
    monkeypatch.setenv("CUTGATE_TOTAL_QUEUE_CAP", "many")
    with pytest.raises(WrongSettings) as caught:
        load_settings(JobSettings)
    named = {line.partition(":")[0].removeprefix("CUTGATE_") for line in str(caught.value).splitlines()}
    assert named == {"REDIS_URL", "LEASE_SECONDS", "TOTAL_QUEUE_CAP"}
    assert "p4ssw0rd" not in str(caught.value)
    assert caught.value.__suppress_context__
