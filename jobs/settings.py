"""Settings that gateway and worker must agree on, read once at a process's entry point.

Each is `CUTGATE_<NAME>` in the environment, or a file `cutgate_<name>` in the folder that `CUTGATE_SECRETS_DIR`
names: the way for secrets.
"""

import os
import re
from difflib import get_close_matches
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

import click
from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    SettingsConfigDict,
    SettingsError,
)
from typing_extensions import override

from cutgate.distribution import install
from cutgate.jobs.limits import MAX_DECODED_PIXELS, LedgerLimits, LedgerSettings, SourceLimits
from cutgate.jobs.sentinels import Sentinels, is_sentinel_url
from cutgate.jobs.spec import DEFAULT_MODEL, ModelChoice, ModelName, Precision
from cutgate.validation import in_words

SECRETS_DIR_VARIABLE: Final = "CUTGATE_SECRETS_DIR"
_START: Final = "CUTGATE_"
_NEAR: Final = 0.9
"""Of names that are as similar as that, one is the other misspelt; no two settings are."""

_EXPORTER: Final = "opentelemetry-exporter-otlp-proto-http"
"""What sends traces; an extra."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")

MetricsPort = Annotated[int, Field(ge=1, le=65_535)] | None


_Text = TypeVar("_Text", str, SecretStr)


def require_server(url: str) -> str:
    """The URL of an HTTP server.

    Raises:
        ValueError: it is none, or holds what should be secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be http:// or https:// and a host, without keys in it")
    return url


class BlobSettings(BaseSettings):
    """What gateway and worker must agree on to find each other's blobs."""

    # Inputs stay out of error texts: some are secrets.
    model_config = SettingsConfigDict(
        env_prefix=_START,
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
    """URL of the S3 server; by default Amazon's."""
    s3_region: str = "us-east-1"
    """Region that requests are signed for."""
    s3_bucket: str = ""
    """Existing bucket; required with `s3`."""
    s3_prefix: str = ""
    """Prefix of object names, such as `cutgate/blobs`."""
    s3_access_key: str = ""
    """Access key; required with `s3`."""
    s3_secret_key: SecretStr = SecretStr("")
    """Secret key; required with `s3`."""
    s3_timeout_seconds: PositiveFloat = 1.5
    """Read timeout of the S3 server."""

    @field_validator("blob_store")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "s3" and find_spec("boto3") is None:
            raise ValueError(f"s3 needs boto3: {install('s3')}")
        return value

    @field_validator("s3_endpoint_url")
    @classmethod
    def _is_a_server(cls, value: str | None) -> str | None:
        return require_server(value) if value else None

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


class JobSettings(LedgerSettings, BlobSettings):
    """What both sides read."""

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis or Valkey: `redis://`, `rediss://` (TLS), `unix://`, or
    `sentinel://host:26379,host2:26379/0?service=NAME` (TLS: `rediss+sentinel://`; `&sentinel_password=…`).
    `ssl_ca_certs=/path/ca.pem` names a private authority. Secret."""

    model: ModelName = DEFAULT_MODEL
    """Model that new items ask for where their account has none of its own, and that workers offer."""
    precision: Precision = Precision.EXACT
    """How exactly the network is computed: what new items ask for where their account has no precision of its own,
    and what workers offer."""

    max_source_bytes: PositiveInt = 32 * 2**20
    """Largest picture in bytes, after Base64."""
    max_source_pixels: PositiveInt = 50_000_000
    """Maximum pixels of a picture."""
    max_source_side_px: PositiveInt = 12_000
    """Longest side of a picture."""

    metrics_host: str = "127.0.0.1"
    """Address of the metrics ports, which anyone who reaches it can read."""
    alive_file: Path | None = None
    """File that a worker or courier touches for the health check `python -m cutgate.jobs.observe.alive`."""
    log_format: Literal["json", "console"] = "json"
    """`json`, or `console`: text for people."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug`, `info`, `warning` or `error`."""
    traces_url: SecretStr | None = None
    """OTLP/HTTP address of a collector, such as `http://127.0.0.1:4318/v1/traces`; by default no traces.
    Secret."""
    traces_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of traces recorded, 0 to 1."""

    @property
    def choice(self) -> ModelChoice:
        """What new items ask for where nobody chooses."""
        return ModelChoice(model=self.model, precision=self.precision)

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if is_sentinel_url(url):
            Sentinels.parse(url)
        elif not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss://, unix://, sentinel:// or rediss+sentinel://")
        return value

    @field_validator("traces_url")
    @classmethod
    def _can_be_sent_to(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        try:
            metadata.version(_EXPORTER)
        except metadata.PackageNotFoundError:
            raise ValueError(f"{_EXPORTER} is not installed: {install('tracing')}") from None
        return value

    @model_validator(mode="after")
    def _lease_fits_the_job(self) -> Self:
        if self.lease_seconds > self.job_timeout_seconds:
            raise ValueError("lease_seconds must not exceed job_timeout_seconds")
        return self

    def source_limits(self) -> SourceLimits:
        """What a picture may be."""
        return SourceLimits(
            max_bytes=self.max_source_bytes,
            max_pixels=self.max_source_pixels,
            max_side_px=self.max_source_side_px,
            max_decoded_pixels=MAX_DECODED_PIXELS,
        )

    def ledger_limits(self) -> LedgerLimits:
        """The part that the ledger's moves keep to."""
        own = {name: getattr(self, name) for name in LedgerSettings.model_fields}
        return LedgerLimits(**own, source_max_age_seconds=self.orphan_grace_seconds / 2)


S = TypeVar("S", bound=BaseSettings)


class WrongSettings(click.ClickException):
    """What is wrong with the environment, every variable on a line. Values stay out: some are secrets."""

    @override
    def format_message(self) -> str:
        """As the end of a command."""
        return f"wrong settings\n{self.message}"


def load_settings(kind: type[S]) -> S:
    """Read settings from the environment, at a process's entry point.

    Raises:
        WrongSettings: one or more variables are missing, malformed or misspelt.
    """
    if misspelt := _misspelt(kind):
        raise WrongSettings("\n".join(misspelt))
    folder = os.environ.get(SECRETS_DIR_VARIABLE)
    if folder is not None and not Path(folder).is_dir():
        raise WrongSettings(f"{SECRETS_DIR_VARIABLE} does not name a folder")
    try:
        return kind(_secrets_dir=folder)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        names = ("_".join(map(str, problem["loc"])).upper() for problem in problems)
        lines = [
            f"CUTGATE_{name}: {in_words(problem, kind)}" for name, problem in zip(names, problems, strict=True)
        ]
        raise WrongSettings("\n".join(lines)) from None
    except SettingsError as error:
        raise WrongSettings(_reason(error)) from None


def _misspelt(kind: type[BaseSettings]) -> list[str]:
    """Names of variables that are nearly those of settings; what is far from all of them may be another part's."""
    known = [name.upper() for name in kind.model_fields]
    given = sorted(name.removeprefix(_START) for name in os.environ if name.startswith(_START))
    near = {name: get_close_matches(name, known, 1, _NEAR) for name in given if name not in known}
    return [f"{_START}{name}: no such setting; {_START}{found[0]} is one" for name, found in near.items() if found]


def _reason(error: SettingsError) -> str:
    """What a source says, and of a file that cannot be read which one it is, and why."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return f"{cause.filename}: {cause.strerror}; user {os.geteuid()} must be able to read it"
    return str(error)
