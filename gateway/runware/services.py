"""What the tasks' handlers are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from gateway.account_book import Account
from gateway.pictures import Pictures
from gateway.query import Tasks
from gateway.runware.fields import MODELS
from gateway.runware.rendering import Rendering
from gateway.settings import GatewaySettings
from gateway.submit import Submissions
from jobs.blobs import BlobStore
from jobs.spec import Precision
from jobs.store import LedgerStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What handlers work with."""

    submissions: Submissions
    tasks: Tasks
    pictures: Pictures
    rendering: Rendering
    store: LedgerStore
    blobs: BlobStore
    model: str
    """The model that runs a task unless `models` names another."""
    models: Mapping[str, str]
    """Models by the protocol's ids, as far as the installation has chosen."""
    precision: Precision
    """How exactly a model is to be computed, unless the account's terms say otherwise."""
    sync_seconds: float
    """How long a caller may be kept waiting for a result."""
    poll_seconds: float
    """How long a poll for an unfinished task may be held."""

    @classmethod
    def of(cls, settings: GatewaySettings, submissions: Submissions, tasks: Tasks) -> Self:
        """On the parts that the gateway's other façade stands on, too.

        Raises:
            ValueError: the settings name a model that the protocol does not have.
        """
        models = dict(settings.runware_models)
        if unknown := set(models) - set(MODELS):
            raise ValueError(f"runware_models names {', '.join(sorted(unknown))}; known are {', '.join(MODELS)}")
        store, blobs = submissions.store, submissions.blobs
        return cls(
            submissions=submissions,
            tasks=tasks,
            pictures=Pictures(
                store=store,
                blobs=blobs,
                paths=tasks.paths,
                limits=submissions.limits,
                retention_seconds=settings.upload_retention_seconds,
            ),
            rendering=Rendering(
                tasks=tasks,
                blobs=blobs,
                usd_per_credit=settings.usd_per_credit,
                upload_retention_seconds=settings.upload_retention_seconds,
            ),
            store=store,
            blobs=blobs,
            model=settings.model,
            models=models,
            precision=settings.precision,
            sync_seconds=settings.runware_sync_seconds,
            poll_seconds=settings.runware_poll_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, once the API key was found right."""

    account: Account
    base_url: str
    """Scheme and host in front of result paths."""
    take_place: Callable[[], bool] = field(repr=False)
    """Takes a place for a call that will be kept waiting; False where none is free. Called before the work is
    accepted, and as often as tasks wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which task is being answered: what every item repeats of it, without its picture."""

    task_type: str
    task_uuid: str

    def echo(self) -> dict[str, str]:
        """As items have it."""
        return {"taskType": self.task_type, "taskUUID": self.task_uuid}
