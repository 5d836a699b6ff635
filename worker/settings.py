"""Settings of a worker, on top of those that it shares with the gateway."""

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cutgate.jobs.settings import JobSettings, MetricsPort, require_server
from cutgate.jobs.spec import ModelChoice, ModelName, Precision, parse_choices
from cutgate.worker.machine.container import cpu_quota, memory_limit_bytes
from cutgate.worker.pictures.sandbox import Sandbox

_LEAST_WORKER_BYTES = 2 * 2**30
_PIXELS_BESIDE_LARGEST = 16_000_000
BEATS_IN_LEASE = 3

Choices = Annotated[
    tuple[ModelChoice, ...],
    NoDecode,
    BeforeValidator(lambda value: parse_choices(value) if isinstance(value, str) else value),
]
"""Models and precisions; in the environment split by commas."""


class Device(StrEnum):
    """Where the network is computed."""

    CPU = "cpu"
    GPU = "gpu"


class EngineName(StrEnum):
    """The library that computes the network."""

    AUTO = "auto"
    """What the processor's features suggest."""
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    CUDA_GRAPH = "cuda-graph"
    TENSORRT = "tensorrt"
    REMOTE = "remote"
    """A server that speaks KServe's v2 protocol."""


def user_cache_dir() -> Path:
    """`cutgate` in the user's cache folder: `$XDG_CACHE_HOME`, else `~/.cache`. It need not exist."""
    # The XDG specification has a relative path ignored.
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "cutgate"


def rembg_dirs(name: str) -> tuple[Path, Path]:
    """Where rembg keeps the files of a model of its own, now and in its older versions; they need not exist."""
    own = os.environ.get("U2NET_HOME")
    data = os.environ.get("XDG_DATA_HOME")
    home = os.environ.get("REMBG_HOME") or (f"{data}/rembg" if data else "~/.rembg")
    return Path(own or home).expanduser() / "models" / name, Path(own or f"{data or '~'}/.u2net").expanduser()


class NetworkSettings(BaseSettings):
    """What the network needs: enough for `models fetch` on a machine that has no keys yet."""

    model_config = SettingsConfigDict(
        env_prefix="CUTGATE_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    model: ModelName = JobSettings.model_fields["model"].default
    """[Model](models.md) that workers offer and new items use, unless their account has one."""
    precision: Precision = JobSettings.model_fields["precision"].default
    """`exact`, or `fast`: 8-bit integers, for models that have it."""
    worker_models: Choices = ()
    """What this worker offers instead of `CUTGATE_MODEL`, such as `fast,best,u2netp`."""
    engine: EngineName = EngineName.AUTO
    """`onnxruntime`, `openvino`, on a GPU `cuda-graph` or `tensorrt`; `auto`: the faster one for this processor;
    or `remote`: an [inference server](remote-engine.md)."""
    inference_url: str | None = None
    """Inference server of `CUTGATE_ENGINE=remote`, such as `http://triton:8000`."""
    inference_token: SecretStr | None = None
    """Bearer token for the inference server. Secret."""
    models_dir: Path = Field(default_factory=lambda: user_cache_dir() / "models")
    """Folder of weights; missing ones are downloaded."""
    cache_dir: Path = Field(default_factory=lambda: user_cache_dir() / "graphs")
    """Folder of prepared graphs; you may empty it."""
    device: Device = Device.CPU
    """`cpu`, or `gpu`, which refuses to start without CUDA."""
    threads: PositiveInt | None = None
    """Threads of the network on the CPU; by default the container's processors."""

    @field_validator("inference_url")
    @classmethod
    def _is_a_server(cls, value: str | None) -> str | None:
        return require_server(value).rstrip("/") if value else None

    @field_validator("inference_token")
    @classmethod
    def _fits_into_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces")
        return value

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """What this worker offers."""
        return self.worker_models or (ModelChoice(model=self.model, precision=self.precision),)

    def for_choice(self, choice: ModelChoice) -> Self:
        """The same for one of them alone."""
        return self.model_copy(update={"model": choice.model, "precision": choice.precision, "worker_models": ()})

    def thread_count(self) -> int:
        """Threads of the network: as set, else what the container allows."""
        return self.threads or cpu_quota()


class WorkerSettings(NetworkSettings, JobSettings):
    """Everything that a worker reads."""

    worker_metrics_port: MetricsPort = None
    """Port of `/metrics`; with `cutgate up` each further worker has the next."""
    start_timeout_seconds: PositiveFloat = 120
    """Timeout of loading a model."""
    stop_grace_seconds: PositiveFloat = 30
    """How long a stopping worker works before it gives pictures back."""
    max_worker_bytes: PositiveInt | None = None
    """Memory above which the computing process is replaced between pictures; by default three quarters of the
    container's, at least 2 GiB."""
    items_at_once: PositiveInt | None = None
    """Pictures at once; by default 2 on a CPU with two threads; on a GPU and with `remote` one for each processor,
    and one more."""
    pixels_at_once: PositiveInt | None = None
    """Total pixels of these: another begins only if one of `CUTGATE_MAX_SOURCE_PIXELS` would fit. By default that
    and 16 million; on a GPU no limit."""
    max_decoder_bytes: PositiveInt = 3 * 2**29
    """Memory to decode a picture. Raise it with `CUTGATE_MAX_SOURCE_PIXELS`: up to 22 bytes a pixel."""
    decoder_sandbox: Sandbox = Sandbox.TRY
    """Confine decoders by seccomp: `require` refuses to start where the kernel cannot, `try` only warns."""
    keep_rgb_profile: bool = False
    """Keep an RGB profile instead of converting to sRGB."""
    keep_rights: bool = True
    """Keep EXIF's artist and copyright. The density is always kept, all other metadata is dropped."""
    keep_16_bit: bool = False
    """Write a 16-bit PNG's or TIFF's cut-out in 16 bits, with its profile."""

    @property
    def beat_seconds(self) -> float:
        """How often a worker renews its lease and announces itself: often enough that two beats may be lost."""
        return self.lease_seconds / BEATS_IN_LEASE

    def worker_byte_limit(self) -> int:
        """Resident bytes past which the working process is replaced: as set, else by what the container allows."""
        return self.max_worker_bytes or max(_LEAST_WORKER_BYTES, memory_limit_bytes() * 3 // 4)

    def item_count(self) -> int:
        """Pictures at the same time: as set, else so many that neither the GPU nor a processor waits."""
        elsewhere = self.device is Device.GPU or self.engine is EngineName.REMOTE
        usual = cpu_quota() + 1 if elsewhere else min(2, self.thread_count())
        return self.items_at_once or usual

    def pixel_count(self) -> int | None:
        """Pixels of the pictures that are worked on at the same time; None for no bound."""
        usual = None if self.device is Device.GPU else self.max_source_pixels + _PIXELS_BESIDE_LARGEST
        return self.pixels_at_once or usual
