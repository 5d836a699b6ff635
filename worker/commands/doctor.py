"""Checks of everything that this worker needs before its first picture."""

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import BlobStoreUnavailable, InferenceUnavailable, LedgerUnavailable
from cutgate.jobs.ledger.server import ServerFacts, ServerUnfit
from cutgate.jobs.redis_client import connect
from cutgate.jobs.settings import WrongSettings, load_settings
from cutgate.worker.machine.container import memory_limit_bytes
from cutgate.worker.models.engines.plans import plan_for
from cutgate.worker.models.engines.runtime import load_segmenter
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.registry import find_model
from cutgate.worker.pictures.sandbox import Sandbox, can_confine
from cutgate.worker.settings import EngineName, NetworkSettings, WorkerSettings

_GIB: Final = 2**30
_ENOUGH_BYTES: Final = 2 * _GIB
"""The default network takes 1.4 GB at rest; a large picture and its result come on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding."""

    name: str
    ok: bool
    detail: str
    """What was found, on one line."""
    remedy: str = ""
    """What to do about it, when it is not well."""


def examine() -> list[Check]:
    """Every check, in the order in which an operator would mend what is wrong."""
    python = Check(name="python", ok=True, detail=f"Python {platform.python_version()} on {platform.machine()}")
    try:
        settings = load_settings(WorkerSettings)
    except WrongSettings as error:
        problems = str(error).replace("\n", "; ")
        return [
            python,
            Check(name="settings", ok=False, detail=problems, remedy="set these variables and look again"),
        ]
    return [
        python,
        Check(
            name="settings",
            ok=True,
            detail=f"offers {', '.join(map(str, settings.choices))}, device {settings.device}",
        ),
        _memory(),
        _decoders(settings.decoder_sandbox),
        _cache(settings.cache_dir),
        _blobs(settings),
        _redis(settings),
        *_networks(settings),
    ]


def _memory() -> Check:
    limit = memory_limit_bytes()
    return Check(
        name="memory",
        ok=limit >= _ENOUGH_BYTES,
        detail=f"{limit / _GIB:.1f} GiB for this process",
        remedy=f"give the worker's container at least {_ENOUGH_BYTES // _GIB} GiB",
    )


def _decoders(sandbox: Sandbox) -> Check:
    is_confined = sandbox is not Sandbox.OFF and can_confine()
    why_not = "CUTGATE_DECODER_SANDBOX is off" if sandbox is Sandbox.OFF else "the kernel refuses seccomp"
    unconfined = f"unconfined, for {why_not}: who breaks a picture's decoder has this worker's rights"
    return Check(
        name="decoders",
        ok=is_confined or sandbox is not Sandbox.REQUIRE,
        detail="confined by seccomp" if is_confined else unconfined,
        remedy="allow seccomp in the container, or set CUTGATE_DECODER_SANDBOX=try",
    )


def _blobs(settings: WorkerSettings) -> Check:
    if settings.blob_store == "file":
        return _folder("blobs", settings.blob_dir, "CUTGATE_BLOB_DIR")
    try:
        open_blob_store(settings).check()
    except BlobStoreUnavailable as error:
        remedy = "see to the server, or set CUTGATE_S3_ENDPOINT_URL, _REGION, _BUCKET and the two keys"
        return Check(name="blobs", ok=False, detail=error.message, remedy=remedy)
    return Check(name="blobs", ok=True, detail=f"bucket {settings.s3_bucket} can be written")


def _cache(path: Path) -> Check:
    """The folder of prepared graphs, which a worker in a container may only read; what it lacks, loading shows."""
    check = _folder("cache", path, "CUTGATE_CACHE_DIR")
    if check.ok or not path.is_dir():
        return check
    return Check(name="cache", ok=True, detail=f"{path} can be read, and written by others")


def _folder(name: str, path: Path, variable: str) -> Check:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return Check(name=name, ok=True, detail=f"{path} can be written")
    except OSError as error:
        return Check(
            name=name,
            ok=False,
            detail=f"{path} cannot be written: {os.strerror(error.errno or 0)}",
            remedy=f"let user {os.getuid()} write there, or set {variable}",
        )


def _redis(settings: WorkerSettings) -> Check:
    try:
        facts = ServerFacts.of(connect(settings.redis_url.get_secret_value()))
        facts.require_fit()
    except LedgerUnavailable as error:
        return Check(
            name="redis",
            ok=False,
            detail=error.message,
            remedy="start Redis or Valkey, or point CUTGATE_REDIS_URL at one",
        )
    except ServerUnfit as error:
        detail, _, remedy = str(error).partition("; ")
        return Check(name="redis", ok=False, detail=detail, remedy=remedy)
    detail = "; it keeps no append-only file: what stops it loses every task" if facts.keeps_file is False else ""
    return Check(name="redis", ok=True, detail=f"{facts.name or 'a server'} answers{detail}")


def _networks(settings: NetworkSettings) -> Iterator[Check]:
    """The checks of every network that the worker offers, which is named where there are several."""
    for choice in settings.choices:
        for check in _network(settings.for_choice(choice)):
            yield check if len(settings.choices) == 1 else replace(check, name=f"{check.name} {choice}")


def _network(settings: NetworkSettings) -> list[Check]:
    """The weights, and a first run of the network; nothing is fetched for a model with a row."""
    if settings.engine is EngineName.REMOTE:
        return [_loaded(settings)]
    try:
        plan_for(settings)
    except ModelUnavailable as error:
        remedy = "see to CUTGATE_ENGINE, CUTGATE_PRECISION and CUTGATE_DEVICE"
        return [Check(name="engine", ok=False, detail=str(error), remedy=remedy)]
    try:
        model = find_model(settings.model, settings.models_dir, settings.precision)
        detail = "rembg's, which keeps and checks them itself"
        if model is not None:
            weights = find_weights(model, settings.models_dir)
            detail = f"{weights.path}, checked; licence: {weights.row.licence}"
    except ModelUnavailable as error:
        remedy = f"run `python -m cutgate.worker models fetch {settings.model}`"
        return [Check(name="weights", ok=False, detail=str(error).replace("\n", "; "), remedy=remedy)]
    found = Check(name="weights", ok=True, detail=detail)
    return [found, _loaded(settings)]


def _loaded(settings: NetworkSettings) -> Check:
    begin = time.perf_counter()
    try:
        segmenter = load_segmenter(settings)
        if segmenter.check is not None:
            segmenter.check()
    except (InferenceUnavailable, ModelUnavailable) as error:
        return Check(name="network", ok=False, detail=str(error), remedy="see the reason")
    seconds = time.perf_counter() - begin
    runs_on = f"{segmenter.engine}, {segmenter.provider}, {segmenter.dtype}, {segmenter.threads} threads"
    return Check(name="network", ok=True, detail=f"{runs_on}; loaded and run in {seconds:.1f} s")
