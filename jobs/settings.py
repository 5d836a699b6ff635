"""Settings that gateway and worker must agree on, read once at a process's entry point.

Each is `CUTGATE_<NAME>` in the environment, or a file `cutgate_<name>` in the folder that `CUTGATE_SECRETS_DIR`
names: the way for secrets.
"""

import os
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import (
    Field,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsError,
)
from typing_extensions import override

from cutgate.distribution import install
from cutgate.jobs.blob_settings import BlobSettings
from cutgate.jobs.limits import MAX_DECODED_PIXELS, LedgerLimits, LedgerSettings, SourceLimits
from cutgate.jobs.presets import DEFAULT_MODEL, Choice
from cutgate.jobs.sentinels import Sentinels, is_sentinel_url
from cutgate.jobs.spec import ModelName, Precision
from cutgate.validation import in_words

SECRETS_DIR_VARIABLE: Final = "CUTGATE_SECRETS_DIR"

_EXPORTER: Final = "opentelemetry-exporter-otlp-proto-http"
"""What sends traces; an extra."""

MetricsPort = Annotated[int, Field(ge=1, le=65_535)] | None


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

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the folder of secrets that the environment names."""
        folder = os.environ.get(SECRETS_DIR_VARIABLE)
        if folder is None:
            return init_settings, env_settings, file_secret_settings
        if not Path(folder).is_dir():
            raise SettingsError(f"{SECRETS_DIR_VARIABLE} does not name a folder")
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, folder)

    @property
    def choice(self) -> Choice:
        """What new items ask for where nobody chooses."""
        return Choice(model=self.model, precision=self.precision)

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


class WrongSettings(Exception):
    """What is wrong with the environment, every variable on a line. Values stay out: some are secrets."""


def load_settings(kind: type[S]) -> S:
    """Read settings from the environment, at a process's entry point.

    Raises:
        WrongSettings: one or more variables are missing or malformed.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        names = ("_".join(map(str, problem["loc"])).upper() for problem in problems)
        lines = [
            f"CUTGATE_{name}: {in_words(problem, kind)}" for name, problem in zip(names, problems, strict=True)
        ]
        raise WrongSettings("\n".join(lines)) from None
    except SettingsError as error:
        raise WrongSettings(_reason(error)) from None


def _reason(error: SettingsError) -> str:
    """What a source says, and of a file that cannot be read which one it is, and why."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return f"{cause.filename}: {cause.strerror}; user {os.geteuid()} must be able to read it"
    return str(error)
