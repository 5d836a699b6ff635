"""The networks that a worker's settings name, as far as their weights and graphs are on this machine."""

from dataclasses import dataclass
from pathlib import Path

from cutgate.jobs.presets import Choice
from cutgate.worker.models.engines.plans import Plan, plan_for
from cutgate.worker.models.errors import ModelUnavailable
from cutgate.worker.models.graphs.cache import find_graph
from cutgate.worker.models.weights.files import find_weights
from cutgate.worker.models.weights.model import WeightsFile
from cutgate.worker.models.weights.registry import find_model, second_stage
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
    """The networks of everything that a worker offers, second stages among them.

    Raises:
        ModelUnavailable: one has to be fetched or prepared first, or is kept by rembg.
    """
    return [network for choice in settings.choices for network in _stages(settings.for_choice(choice))]


def _stages(settings: NetworkSettings) -> list[Prepared]:
    model = find_model(settings.model, settings.models_dir, settings.precision)
    if model is None:
        raise ModelUnavailable(f"rembg keeps {settings.model}")
    weights = find_weights(model, settings.models_dir, cache_dir=settings.cache_dir)
    plan = plan_for(settings)
    # Where a network mixes up the pictures of a batch, the other graph is needed, too.
    graphs = [
        find_graph(weights, settings.cache_dir, plan.variant, batches=batches)
        for batches in sorted({False, settings.batch_count() > 1})
    ]
    networks = []
    for graph in graphs:
        if graph is None:
            raise ModelUnavailable(f"{settings.model} is not prepared")
        networks.append(Prepared(name=model.name, settings=settings, plan=plan, graph=graph, row=weights.row))
    refiner = second_stage(model, settings.models_dir)
    return networks + (_stages(settings.for_choice(Choice(model=refiner.name))) if refiner else [])
