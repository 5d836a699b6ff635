"""Arguments that the handlers of tasks share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.pictures.kept import Pictures
from cutgate.gateway.runware.messages.errors import Refused
from cutgate.gateway.runware.messages.fields import MODELS
from cutgate.gateway.runware.messages.outcomes import Outcome
from cutgate.gateway.runware.messages.rendering import Rendering
from cutgate.gateway.settings import GatewaySettings
from cutgate.gateway.tasks.query import Tasks
from cutgate.gateway.tasks.submit import Submissions
from cutgate.jobs.ports import BlobStore, Ledger
from cutgate.jobs.record import Task
from cutgate.jobs.spec import ModelChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class RunwareParts:
    """What handlers work with."""

    submissions: Submissions
    tasks: Tasks
    pictures: Pictures
    rendering: Rendering
    store: Ledger
    blobs: BlobStore
    choice: ModelChoice
    """What computes a picture where neither the request nor the account chooses."""
    models: Mapping[str, ModelChoice]
    """The same by the protocol's ids, as far as the installation has chosen."""
    sync_seconds: float
    """How long a caller may be kept waiting for a result."""

    @classmethod
    def of(cls, settings: GatewaySettings, submissions: Submissions, tasks: Tasks) -> Self:
        """On the parts that every façade stands on; `ValueError` where settings name no model of the protocol."""
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
            choice=settings.choice,
            models=models,
            sync_seconds=settings.runware_sync_seconds,
        )

    def choice_for(self, model: str, account: Account) -> ModelChoice:
        """What computes a picture for which one of the protocol's models is asked for.

        That is what the installation has chosen for the id, else the network of this name where workers offer it,
        else what computes the account's pictures.
        """
        if (chosen := self.models.get(model)) is not None:
            return chosen
        name = MODELS[model]
        if name is not None and self.submissions.offers.include((named := ModelChoice(model=name)).lane):
            return named
        return account.terms.choice(self.choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, once the API key was found right."""

    credential: Credential
    base_url: str
    """Scheme and host in front of result paths."""
    take_place: Callable[[], bool] = field(repr=False)
    """Takes a place for a call that will be kept waiting; False where none is free. Called before the work is
    accepted, and as often as tasks wait."""

    @property
    def account(self) -> Account:
        """Whose the key is."""
        return self.credential.account

    def confirmed(self) -> Self:
        """The caller, once the ledger has confirmed the credential."""
        return replace(self, credential=replace(self.credential, known_key=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """Which task object is answered, for whom and with what; not the object itself, which may hold a picture."""

    task_type: str
    task_uuid: str
    """As it was sent."""
    caller: Caller
    services: RunwareParts
    entry: Entry
    """The task as one that counts."""

    @property
    def account(self) -> Account:
        """Who asks."""
        return self.caller.account

    @property
    def key(self) -> str:
        """What the ledger calls the task that the UUID names, in whatever letter case."""
        return f"runware:{self.task_uuid.lower()}"

    def echo(self) -> dict[str, str]:
        """What every item repeats of the task."""
        return {"taskType": self.task_type, "taskUUID": self.task_uuid}

    def result(self, task: Task | None) -> Outcome | None:
        """How a task of the ledger ended, under this UUID; None while it has not."""
        if task is None:
            raise Refused("unknown_task")
        return self.services.rendering.result(task, self.caller.base_url, self.task_uuid)
