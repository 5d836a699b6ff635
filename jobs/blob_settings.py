"""Settings of the blob store: which kind, and where."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import PositiveFloat, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from cutgate.distribution import install

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")

_Text = TypeVar("_Text", str, SecretStr)


class BlobSettings(BaseSettings):
    """What gateway and worker must agree on to find each other's blobs."""

    # Inputs stay out of error texts: some are secrets.
    model_config = SettingsConfigDict(
        env_prefix="CUTGATE_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    blob_store: Literal["file", "s3"] = "file"
    """`file`, a folder, or `s3`, a bucket."""
    blob_dir: Path = Path("/var/lib/cutgate/blobs")
    """Folder of pictures, shared by all parts."""
    s3_endpoint_url: str | None = None
    """URL of the S3 server; unset, Amazon's."""
    s3_region: str = "us-east-1"
    """Region to sign for."""
    s3_bucket: str = ""
    """Existing bucket; required with `s3`."""
    s3_prefix: str = ""
    """Prefix of object names, such as `cutgate/blobs`."""
    s3_access_key: str = ""
    """Access key; required with `s3`."""
    s3_secret_key: SecretStr = SecretStr("")
    """Secret key; required with `s3`."""
    s3_timeout_seconds: PositiveFloat = 1.5
    """Longest silence of the S3 server."""

    @field_validator("blob_store")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "s3" and find_spec("boto3") is None:
            raise ValueError(f"s3 needs boto3: {install('s3')}")
        return value

    @field_validator("s3_endpoint_url")
    @classmethod
    def _is_a_server(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be http:// or https:// and a host, without keys in it")
        return value

    @field_validator("s3_prefix")
    @classmethod
    def _is_a_prefix(cls, value: str) -> str:
        value = value.strip("/")
        if value and not _PREFIX.fullmatch(value):
            raise ValueError("must be letters, digits, '.', '_' and '-', in parts split by '/'")
        return value

    @field_validator("s3_bucket")
    @classmethod
    def _is_a_bucket(cls, value: str) -> str:
        if value and not _BUCKET.fullmatch(value):
            raise ValueError("must be 3 to 63 lower-case letters, digits, '.' and '-'")
        return value

    @field_validator("s3_bucket", "s3_access_key", "s3_secret_key")
    @classmethod
    def _is_there_for_s3(cls, value: _Text, info: ValidationInfo) -> _Text:
        # Said of each field by itself, so that it is reported together with what else is wrong.
        if info.data.get("blob_store") == "s3" and not len(value):
            raise ValueError("is required where CUTGATE_BLOB_STORE is s3")
        return value
