"""The networks that a worker's settings name, as far as their weights and graphs are on this machine."""

from dataclasses import dataclass
from pathlib import Path

from cutgate.worker.models.engines.plans import Plan, plan_for
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import find_graph
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.model import WeightsFile
from cutgate.worker.models.weights.registry import find_model
from cutgate.worker.settings import NetworkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One network that is ready to be loaded."""

    name: str
    """Of the model."""
    settings: NetworkSettings
    """For this model alone."""
    plan: Plan
    """What the settings mean as far as the processor's features tell."""
    graph: Path
    """The prepared graph."""
    row: WeightsFile


def prepared_networks(settings: NetworkSettings) -> list[Prepared]:
    """The networks of everything that a worker offers.

    Raises:
        ModelUnavailable: one has to be fetched or prepared first, or is kept by rembg.
    """
    return [_prepared(settings.for_choice(choice)) for choice in settings.choices]


def _prepared(settings: NetworkSettings) -> Prepared:
    model = find_model(settings.model, settings.models_dir, settings.precision)
    if model is None:
        raise ModelUnavailable(f"rembg keeps {settings.model}")
    weights = find_weights(model, settings.models_dir, cache_dir=settings.cache_dir)
    plan = plan_for(settings)
    graph = find_graph(weights, settings.cache_dir, plan.variant)
    if graph is None:
        raise ModelUnavailable(f"{settings.model} is not prepared")
    return Prepared(name=model.name, settings=settings, plan=plan, graph=graph, row=weights.row)
