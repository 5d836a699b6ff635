"""Checks of everything that this worker needs before its first picture."""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cutgate.jobs.blobs.choose import open_blob_store
from cutgate.jobs.errors import ServiceUnavailable
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
        detail, remedy = str(error).replace("\n", "; "), "set these variables and look again"
        return [python, Check(name="settings", ok=False, detail=detail, remedy=remedy)]
    offered = f"offers {', '.join(map(str, settings.choices))}, device {settings.device}"
    return [
        python,
        Check(name="settings", ok=True, detail=offered),
        _memory(),
        _decoders(settings.decoder_sandbox),
        _cache(settings.cache_dir),
        _blobs(settings),
        _check("redis", lambda: _redis(settings), "start Redis or Valkey, or point CUTGATE_REDIS_URL at one"),
        *_networks(settings),
    ]


def _check(name: str, look: Callable[[], str], remedy: str) -> Check:
    """What a look finds, or its fault, with the remedy for one that names none itself."""
    try:
        return Check(name=name, ok=True, detail=look())
    except ServerUnfit as error:
        detail, _, remedy = str(error).partition("; ")
    except (ModelUnavailable, ServiceUnavailable) as error:
        detail = str(error).replace("\n", "; ")
    return Check(name=name, ok=False, detail=detail, remedy=remedy)


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

    def bucket() -> str:
        open_blob_store(settings).check()
        return f"bucket {settings.s3_bucket} can be written"

    remedy = "see to the server, or set CUTGATE_S3_ENDPOINT_URL, _REGION, _BUCKET and the two keys"
    return _check("blobs", bucket, remedy)


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
        detail = f"{path} cannot be written: {os.strerror(error.errno or 0)}"
        remedy = f"let user {os.getuid()} write there, or set {variable}"
        return Check(name=name, ok=False, detail=detail, remedy=remedy)


def _redis(settings: WorkerSettings) -> str:
    facts = ServerFacts.of(connect(settings.redis_url.get_secret_value()))
    facts.require_fit()
    detail = "; it keeps no append-only file: what stops it loses every task" if facts.keeps_file is False else ""
    return f"{facts.name or 'a server'} answers{detail}"


def _networks(settings: NetworkSettings) -> Iterator[Check]:
    """The checks of every network that the worker offers, which is named where there are several."""
    for choice in settings.choices:
        for check in _network(settings.for_choice(choice)):
            yield check if len(settings.choices) == 1 else replace(check, name=f"{check.name} {choice}")


def _network(settings: NetworkSettings) -> Iterator[Check]:
    """The weights, and a first run of the network; nothing is fetched for a model with a row."""
    if settings.engine is not EngineName.REMOTE:
        try:
            plan_for(settings)
        except ModelUnavailable as error:
            remedy = "see to CUTGATE_ENGINE, CUTGATE_PRECISION and CUTGATE_DEVICE"
            yield Check(name="engine", ok=False, detail=str(error), remedy=remedy)
            return
        remedy = f"run `python -m cutgate.worker models fetch {settings.model}`"
        found = _check("weights", lambda: _weights(settings), remedy)
        yield found
        if not found.ok:
            return
    yield _check("network", lambda: _loaded(settings), "see the reason")


def _weights(settings: NetworkSettings) -> str:
    model = find_model(settings.model, settings.models_dir, settings.precision)
    if model is None:
        return "rembg's, which keeps and checks them itself"
    weights = find_weights(model, settings.models_dir)
    return f"{weights.path}, checked; licence: {weights.row.licence}"


def _loaded(settings: NetworkSettings) -> str:
    begin = time.perf_counter()
    segmenter = load_segmenter(settings)
    if segmenter.check is not None:
        segmenter.check()
    seconds = time.perf_counter() - begin
    runs_on = f"{segmenter.engine}, {segmenter.provider}, {segmenter.dtype}, {segmenter.threads} threads"
    return f"{runs_on}; loaded and run in {seconds:.1f} s"
