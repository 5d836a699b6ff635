"""The networks at work: a setting's model, found, prepared and loaded.

An engine does not survive a fork: load a segmenter in the process that runs it.
"""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final

import numpy as np
import structlog

from cutgate.jobs.errors import InferenceUnavailable
from cutgate.worker.cutout.mask.segment import Predict, Soft
from cutgate.worker.cutout.raster.arrays import ByteMask, RgbImage
from cutgate.worker.models.engines.network_run import ONE_RUN, NetworkRun
from cutgate.worker.models.engines.plans import Plan, open_engine, plan_for
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import prepared_graph
from cutgate.worker.models.weights.files import Say, Weights, ensure_weights, say_to_log
from cutgate.worker.models.weights.model import Model
from cutgate.worker.models.weights.registry import find_model
from cutgate.worker.settings import EngineName, NetworkSettings

log = structlog.get_logger(__name__)

_WARM_UP_PX: Final = ((64, 64), (64, 128))
"""Height and width. A network whose input has one fixed size may pass for a free one on the first alone."""


@dataclass(eq=False)
class Segmenter:
    """A network that is loaded: from a picture to the coarse mask of its subject."""

    predict: Predict
    """The network itself, without the lock."""
    _: KW_ONLY
    model: str
    engine: str
    """The library that runs it, with its version."""
    provider: str
    """What computes: what is active, not what was asked for."""
    dtype: str
    """The type of number that it computes in."""
    threads: int
    """Threads of the network on the CPU."""
    soft: Soft = Soft.DOUBT
    """What the soft levels of its map mean."""
    shared: bool = False
    """Whether `predict` itself sees to it when several threads call it."""
    check: Callable[[], None] | None = None
    """Raises `InferenceUnavailable` where it cannot be run now; None for what runs in this process."""

    def __call__(self, image: RgbImage) -> ByteMask:
        """The coarse foreground probability of a picture.

        Runs follow one another: one run already keeps every thread busy. Callers may share one.

        Args:
            image: (height, width, 3) uint8, sRGB.

        Returns:
            (height, width) uint8; 255 is certain foreground.

        Raises:
            ModelUnavailable: the network cannot be run on it, or gives no mask of it.
            InferenceUnavailable: it runs on a server that is away or busy.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"an image is (height, width, 3) uint8, not {image.shape} {image.dtype}")
        with nullcontext() if self.shared else ONE_RUN:
            return _checked_run(self.model, self.predict, image)


def load_segmenter(settings: NetworkSettings, say: Say = say_to_log, *, warm_up: bool = True) -> Segmenter:
    """Find or fetch the model's weights, prepare them, and load them.

    Args:
        settings: which model, and how it is to be run.
        say: told, a line at a time, what is fetched.
        warm_up: run the network once, so that a faulty one is found now and the first picture takes no longer than
            the others. Otherwise the first picture finds it.

    Raises:
        ModelUnavailable: the model cannot be run here as the settings ask; the text says why and what to do.
        InferenceUnavailable: it runs on a server that is away.
    """
    model = find_model(settings.model, settings.models_dir, settings.precision)
    try:
        if settings.engine is EngineName.REMOTE:
            return _from_server(model, settings, warm_up=warm_up)
        if model is None:
            return _from_rembg(settings, warm_up=warm_up)
        return _from_row(model, settings, say, warm_up=warm_up)
    except ImportError as error:  # an engine that is there and broken; its module is loaded only now
        raise ModelUnavailable(f"the engine cannot be loaded: {error}") from error


def _from_row(model: Model, settings: NetworkSettings, say: Say, *, warm_up: bool) -> Segmenter:
    plan = plan_for(settings)
    weights = ensure_weights(model, settings.models_dir, say, cache_dir=settings.cache_dir)
    network = open_network(model.name, weights, settings, plan, warm_up=warm_up)
    return _segmenter_of(network, model, settings)


def _from_server(model: Model | None, settings: NetworkSettings, *, warm_up: bool) -> Segmenter:
    """A model that an inference server runs; its weights need not be here."""
    from cutgate.worker.models.engines.remote_engine import RemoteEngine

    if model is None:
        raise ModelUnavailable(f"{settings.model} runs through rembg, which knows no inference server")
    row = model.files[0]
    engine = RemoteEngine(settings, row)
    network = NetworkRun(engine, row)
    if warm_up:
        with suppress(InferenceUnavailable):  # a busy server is no fault, and pictures wait for it
            _warm_up(model.name, network, free=not row.has_fixed_input)
    return _segmenter_of(network, model, settings, engine.check)


def _segmenter_of(
    network: NetworkRun, model: Model, settings: NetworkSettings, check: Callable[[], None] | None = None
) -> Segmenter:
    engine = network.engine
    return Segmenter(
        network,
        model=model.name,
        engine=engine.name,
        provider=engine.provider,
        dtype=engine.dtype,
        threads=settings.thread_count(),
        soft=network.row.soft,
        shared=True,
        check=check,
    )


def require_servers(settings: NetworkSettings) -> None:
    """Make sure that inference servers are there for what a worker offers; nothing is loaded here.

    Raises:
        InferenceUnavailable: one is away.
        ModelUnavailable: one does not serve what it should.
    """
    if settings.engine is EngineName.REMOTE:
        for choice in settings.choices:
            load_segmenter(settings.for_choice(choice), warm_up=False)


def open_network(
    name: str, weights: Weights, settings: NetworkSettings, plan: Plan, *, warm_up: bool
) -> NetworkRun:
    """Load checked weights as planned, and run them once for each kind of size if asked to.

    Raises:
        ModelUnavailable: they cannot be prepared, loaded, or run as their row says.
    """
    graph = prepared_graph(weights, settings.cache_dir, plan.variant)
    if weights.row.has_fixed_input:
        plan = replace(plan, input_px=weights.row.input_px)
    network = NetworkRun(open_engine(graph, plan), weights.row)
    if warm_up:
        _warm_up(name, network, free=not weights.row.has_fixed_input)
    return network


def _from_rembg(settings: NetworkSettings, *, warm_up: bool) -> Segmenter:
    from cutgate.worker.models.engines import onnxruntime_engine as ort
    from cutgate.worker.models.engines.zoo import zoo_predict

    if settings.engine not in {EngineName.AUTO, EngineName.ONNXRUNTIME}:
        raise ModelUnavailable(f"{settings.model} runs through rembg, which knows ONNX Runtime alone")
    threads = settings.thread_count()
    providers = ort.execution_providers(settings.device)
    session, predict = zoo_predict(settings.model, ort.session_options(threads), providers)
    if warm_up:
        _warm_up(settings.model, predict)
    return Segmenter(
        predict,
        model=settings.model,
        engine=ort.NAME,
        provider=ort.active_provider(session, settings.device),
        dtype="as stored",
        threads=threads,
    )


def _warm_up(name: str, run: Predict, *, free: bool = False) -> None:
    """Run once for each kind of size, so that memory is laid out and a network of another kind shows now."""
    for size_px in _WARM_UP_PX[: 2 if free else 1]:
        _checked_run(name, run, np.full((*size_px, 3), 128, np.uint8))


def _checked_run(name: str, run: Predict, image: RgbImage) -> ByteMask:
    """One run of a network."""
    try:
        mask = run(image)
    except (InferenceUnavailable, ModelUnavailable):  # they say what is wrong
        raise
    except Exception as error:  # a network that wants other inputs fails in each engine's own ways
        raise ModelUnavailable(f"{name} cannot be run on a picture: {error}") from error
    if mask.shape != image.shape[:2]:
        raise ModelUnavailable(f"{name} does not give one mask for one picture")
    return mask
