"""Which store the settings name, and what they say when it cannot be reached that way."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.blobs.file import FileBlobStore
from cutgate.jobs.blobs.s3_store import S3BlobStore
from cutgate.jobs.ids import new_task_uid, source_key
from cutgate.jobs.settings import BlobSettings, JobSettings, WrongSettings, load_settings
from tests.servers.s3_server import Bucket

SECRET = "very-secret-indeed"
S3 = {"blob_store": "s3", "s3_bucket": "pictures", "s3_access_key": "AKIA", "s3_secret_key": SECRET}


pytestmark = pytest.mark.usefixtures("bare_environment")


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
