"""Who asks for a task, and what its handler works with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from cutgate.gateway.accounts.accounts import Account
from cutgate.gateway.accounts.credentials import Credential
from cutgate.gateway.accounts.rates import Entry
from cutgate.gateway.runware.messages.errors import Refused
from cutgate.gateway.runware.messages.outcomes import Outcome
from cutgate.gateway.runware.messages.rendering import Rendering
from cutgate.gateway.tasks.parts import Parts
from cutgate.jobs.record import Task


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
    parts: Parts
    rendering: Rendering
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
        return self.rendering.result(task, self.caller.base_url, self.task_uuid)
