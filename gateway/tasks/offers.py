"""Models that can be asked for: the installation's own, and those that workers offer or offered recently."""

from collections.abc import Iterable
from dataclasses import dataclass

from cutgate.jobs.errors import ModelNotOffered
from cutgate.jobs.ports import Presence
from cutgate.jobs.spec import CORRECTIONS, CutoutSpec, Lane, ModelChoice, lane_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Tells models that some worker will compute from those that none would ever.

    Workers come and go, and pictures wait for one that restarts, or that is started because they wait. So a model
    counts for as long as the memory lasts, and the installation's own always.
    """

    presence: Presence
    own: ModelChoice
    """What new pictures ask for unless somebody chooses; whoever sets it up will start a worker for it."""
    memory_seconds: float
    """How long a model can be asked for after its last worker has gone."""

    def include(self, lane: Lane) -> bool:
        """Whether a lane is worth waiting in."""
        return lane == self.own.lane or lane in self.presence.offered(self.memory_seconds)

    def lanes(self) -> frozenset[Lane]:
        """The lanes in which something may come to wait, whether a worker is there or not."""
        return self.presence.offered(self.memory_seconds) | {self.own.lane, CORRECTIONS}

    def require(self, specs: Iterable[CutoutSpec]) -> None:
        """Make sure that all of these would be computed; `ModelNotOffered` where one would not."""
        for lane, spec in {lane_of(spec): spec for spec in specs}.items():
            if not self.include(lane):
                raise ModelNotOffered(spec.model, spec.precision)
