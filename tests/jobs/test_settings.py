"""Settings: read from the environment and from files, validated at once, and silent about secrets."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from cutgate.courier.settings import CourierSettings
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.blobs.s3_store import S3BlobStore
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.settings import BlobSettings, JobSettings, WrongSettings, load_settings
from cutgate.worker.settings import NetworkSettings, WorkerSettings
from tests.servers.s3_server import Bucket

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
    settings = load_settings(JobSettings)
    assert settings.traces_share == 0.5
    assert settings.redis_url.get_secret_value() == "redis://from-the-environment"


def test_a_missing_folder_of_secrets_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUTGATE_SECRETS_DIR", str(tmp_path / "absent"))
    with pytest.raises(WrongSettings, match="CUTGATE_SECRETS_DIR does not name a folder"):
        load_settings(JobSettings)


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


KINDS = (GatewaySettings, CourierSettings, WorkerSettings)
"""What the variables of one environment are for."""


def test_a_misspelt_variable_is_an_error_that_names_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_MAX_SOURCE_BYTE", "secret")
    monkeypatch.setenv("CUTGATE_RETENTION_SECOND", "60")
    monkeypatch.setenv("CUTGATE_WORKERS", "2")  # of no part
    for kind in (*KINDS, JobSettings):
        with pytest.raises(WrongSettings) as error:
            load_settings(kind)
        assert error.value.message.splitlines() == [
            "CUTGATE_MAX_SOURCE_BYTE: no such setting; CUTGATE_MAX_SOURCE_BYTES is one",
            "CUTGATE_RETENTION_SECOND: no such setting; CUTGATE_RETENTION_SECONDS is one",
        ]


def test_no_setting_of_one_part_is_taken_for_a_misspelt_one_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for kind in KINDS for name in kind.model_fields}:
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", "")
    for kind in (*KINDS, NetworkSettings):
        with pytest.raises(WrongSettings) as error:
            load_settings(kind)
        assert "no such setting" not in error.value.message


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


# Which store the settings name, and what they say when it cannot be reached that way.


SECRET = "very-secret-indeed"
S3 = {"blob_store": "s3", "s3_bucket": "pictures", "s3_access_key": "AKIA", "s3_secret_key": SECRET}


def problems(**values: object) -> dict[str, str]:
    """What is wrong with settings, by name."""
    with pytest.raises(ValidationError) as error:
        BlobSettings.model_validate(values)
    assert SECRET not in str(error.value)
    return {str(problem["loc"][0]): problem["msg"] for problem in error.value.errors()}


def test_files_are_the_default(tmp_path: Path) -> None:
    store = open_blob_store(BlobSettings(blob_dir=tmp_path / "blobs"))
    assert isinstance(store, FileBlobStore)
    assert (tmp_path / "blobs").is_dir()


def test_s3_where_the_settings_say_so(bucket: Bucket, tmp_path: Path) -> None:
    store = open_blob_store(bucket.settings.model_copy(update={"blob_dir": tmp_path / "blobs"}))
    assert isinstance(store, S3BlobStore)
    key = source_key(new_task_uid(), 0)
    store.put(key, b"data")
    assert bucket.names() == [str(key)]
    assert not (tmp_path / "blobs").exists()


def test_s3_from_the_environment_and_a_file_of_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cutgate_s3_secret_key").write_text(f"{SECRET}\n")
    environment = {
        "SECRETS_DIR": str(tmp_path),
        "BLOB_STORE": "s3",
        "S3_ENDPOINT_URL": "",
        "S3_BUCKET": "pictures",
        "S3_ACCESS_KEY": "AKIA",
        "S3_PREFIX": "/cutgate/",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"CUTGATE_{name}", value)
    settings = load_settings(JobSettings)
    assert settings.s3_secret_key.get_secret_value() == SECRET
    assert (settings.s3_endpoint_url, settings.s3_prefix) == (None, "cutgate")
    assert SECRET not in repr(settings)


def test_everything_that_s3_lacks_is_said_at_once_with_what_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_BLOB_STORE", "s3")
    monkeypatch.setenv("CUTGATE_REDIS_URL", "http://host")
    monkeypatch.setenv("CUTGATE_S3_ENDPOINT_URL", "minio:9000")
    with pytest.raises(WrongSettings) as error:
        load_settings(JobSettings)
    lines = [line.partition(":")[0] for line in str(error.value).splitlines()]
    assert sorted(lines) == [
        "CUTGATE_REDIS_URL",
        "CUTGATE_S3_ACCESS_KEY",
        "CUTGATE_S3_BUCKET",
        "CUTGATE_S3_ENDPOINT_URL",
        "CUTGATE_S3_SECRET_KEY",
    ]


WRONG = {
    "s3_endpoint_url": ["minio:9000", "ftp://minio", "http://", f"http://key:{SECRET}@minio:9000", "s3://bucket"],
    "s3_bucket": ["ab", "Pictures", "pictures/cats", "-pictures", "p" * 64],
    "s3_prefix": ["a//b", "a b", "ä"],
    "blob_store": ["tape"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_cannot_be(name: str, value: str) -> None:
    assert problems(**S3 | {name: value}).keys() == {name}


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutgate.jobs.settings.find_spec", lambda name: None)
    assert "pip install 'cutgate[s3]'" in problems(**S3)["blob_store"]
