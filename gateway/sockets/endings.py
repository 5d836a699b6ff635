"""Who waits in the sockets' thread for the ends of tasks: all of them share what listens and looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cutgate.gateway.sockets.hub import Sockets
from cutgate.gateway.tasks.async_wait import AsyncWaits
from cutgate.gateway.tasks.query import Tasks
from cutgate.jobs.ids import TaskUid
from cutgate.jobs.ports import TaskEvents
from cutgate.jobs.record import Task


@dataclass(kw_only=True)
class Endings:
    """Reads records in the sockets' other threads."""

    sockets: Sockets
    tasks: Tasks
    events: TaskEvents

    @cached_property
    def waits(self) -> AsyncWaits:
        """Says when tasks have ended, from the first use on. In the sockets' thread only."""
        return AsyncWaits(self._find_ended, self.events)

    async def _find_ended(self, account: str, uids: Sequence[TaskUid]) -> Mapping[TaskUid, Task | None]:
        return await self.sockets.in_thread(self.tasks.find_ended, account, uids)
