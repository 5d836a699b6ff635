"""Which inputs, and how many of each: one row a campaign."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from tests.hostile import bends, bodies, outside, texts
from tests.hostile.judgement import SMALL_GROWTH_BYTES, Findings
from tests.hostile.live import floods, frames, peers, requests
from tests.hostile.live.service import HEALTHY_SECONDS, REST_GROWTH_BYTES, Target, target, watched
from tests.hostile.pictures import trials as pictures
from tests.hostile.trials import Trial, judged

INPUTS: Final = 100_000
"""What the rows' counts are of."""

Attack = Callable[[Target, Findings, random.Random, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A campaign against the running service."""

    name: str
    attack: Attack
    peak_growth_bytes: int = SMALL_GROWTH_BYTES
    """What the gateway may hold more meanwhile."""
    healthy_seconds: float = HEALTHY_SECONDS
    """In which `/healthz` answers meanwhile."""


PLAN: Final[Sequence[tuple[Trial | Live, int]]] = (
    (texts.JSON, 16_902),
    (texts.FORMS, 10_000),
    (texts.RUNWARE, 10_000),
    (texts.REMOVEBG, 10_000),
    (texts.TEXTS, 8_000),
    (bends.BENDS, 250),
    (bodies.BODIES, 288),
    (pictures.DAMAGED, 19_000),
    (pictures.CUT_OUTS, 1_500),
    (pictures.BOMBS, 1_000),
    (pictures.DECODERS, 500),
    (pictures.ESCAPES, 80),
    (outside.URLS, 2_000),
    (outside.SERVERS, 1_000),
    (Live(name="requests with a key", attack=requests.attack), 5_000),
    (Live(name="WebSocket frames", attack=frames.attack, peak_growth_bytes=REST_GROWTH_BYTES), 7_480),
    (Live(name="broken HTTP", attack=peers.break_rules), 2_635),
    (Live(name="large bodies", attack=peers.be_large), 60),
    (Live(name="pictures by URL", attack=requests.send_by_url), 5),
    (Live(name="slow peers", attack=peers.be_slow, peak_growth_bytes=REST_GROWTH_BYTES), 300),
    # A thousand requests that come at once are answered before the next one.
    (Live(name="floods", attack=floods.attack, peak_growth_bytes=REST_GROWTH_BYTES, healthy_seconds=9), 4_000),
)
"""Each campaign, with its inputs among `INPUTS`."""


@dataclass(frozen=True, slots=True)
class Ended:
    campaign: Trial | Live
    findings: Findings = field(default_factory=Findings)
    seconds: float = 0.0


def run(inputs: int, seed: int, only: Sequence[str] = ("",)) -> Iterator[Ended]:
    """Share inputs out over the plan: first those for processes of their own, then those for the service."""
    counts = [
        (campaign, max(campaign.least if isinstance(campaign, Trial) else 1, share * inputs // INPUTS))
        for campaign, share in PLAN
        if any(part in campaign.name for part in only)
    ]
    yield from _trials([(campaign, count) for campaign, count in counts if isinstance(campaign, Trial)], seed)
    live = [(campaign, count) for campaign, count in counts if isinstance(campaign, Live)]
    with ExitStack() as open_target:
        attacked = open_target.enter_context(target()) if live else None
        for campaign, count in live:
            assert attacked is not None
            yield _attack(attacked, campaign, count, random.Random(f"{seed} {campaign.name}"))


def _trials(counts: Sequence[tuple[Trial, int]], seed: int) -> Iterator[Ended]:
    """All inputs in turn; a campaign is over when the last one of it is judged."""
    orders = [(trial, number) for trial, count in counts for number in range(count)]
    left, found = dict(counts), {trial: Findings() for trial, _ in counts}
    began = time.monotonic()
    for trial, outcome in judged(orders, seed):
        found[trial].add(outcome)
        left[trial] -= 1
        if not left[trial]:
            now = time.monotonic()
            yield Ended(trial, found[trial], now - began)
            began = now


def _attack(attacked: Target, campaign: Live, count: int, chance: random.Random) -> Ended:
    findings, began = Findings(), time.monotonic()
    with watched(attacked, findings, campaign.peak_growth_bytes, campaign.healthy_seconds):
        campaign.attack(attacked, findings, chance, count)
    return Ended(campaign, findings, time.monotonic() - began)
