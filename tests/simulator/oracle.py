"""What must hold: seen from the calls that the server answered, compared with everything that it keeps."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cutgate.jobs.errors import NOT_THE_PICTURES
from cutgate.jobs.limits import LedgerLimits
from tests.jobs.build import LANE
from tests.simulator.pictures import Effect

_READ: Final = """#!lua flags=allow-oom
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'hash' then found[#found + 1] = {key, kind, redis.call('HGETALL', key)}
  elseif kind == 'zset' then found[#found + 1] = {key, kind, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')}
  elseif kind == 'set' then found[#found + 1] = {key, kind, redis.call('SMEMBERS', key)}
  elseif kind == 'list' then found[#found + 1] = {key, kind, redis.call('LRANGE', key, 0, -1)}
  else found[#found + 1] = {key, kind, redis.call('GET', key)} end
end
return cjson.encode(found)
"""
ACCOUNTS: Final = ("alice", "bob", "carol")
_PLAIN_EVERY: Final = 4
ANSWERS_AGAIN: Final = frozenset(
    {"create", "end", "fetched", "fetch_failed", "kept", "give_back", "give_back_owned", "grant", "postpone"}
    | {"errand_done", "retry"}
)
MAY_STAY: Final = frozenset(
    {"account", "usage", "usages", "totals", "lanes", "server", "installation", "past_claims", "idempotency"}
    | {"answer", "strikes", "alone", "leader", "places"}
)
"""What the server may keep once everything is past its time."""


class Violation(BaseException):
    """A rule that does not hold; nothing that the product catches."""


def require(holds: object, *told: object) -> None:
    if not holds:
        raise Violation(" ".join(map(str, told)))


def equal(what: str, found: object, wanted: object) -> None:
    require(found == wanted, what, "is", found, "and not", wanted)


@dataclass(frozen=True)
class ItemFacts:
    """An item as it was accepted."""

    account: str
    price: int
    effect: Effect | None
    urgent: bool
    fetched: bool
    keep: bool
    source: str


class End(NamedTuple):
    """An item as it was first found to have ended."""

    state: str
    when_ms: int
    charged: bool
    kind: str
    """Of its error, if it failed."""


@dataclass
class Known:
    """What follows from the answers so far; goes back with the server."""

    items: dict[str, ItemFacts] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    """Tasks by how often they were retried, in the order in which they wait."""
    since_ms: dict[str, int] = field(default_factory=dict)
    """By item: when it was accepted, or retried."""
    arrived: set[str] = field(default_factory=set)
    """Items whose pictures were fetched."""
    retries: dict[str, Any] = field(default_factory=dict)
    """Answers by call."""
    failed_before: Counter[str] = field(default_factory=Counter)
    """By account: items that failed and were retried."""
    deliveries: dict[str, list[str]] = field(default_factory=dict)
    joined: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    left: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    terminated: set[str] = field(default_factory=set)
    claims: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By token: item and owner."""
    excused: set[str] = field(default_factory=set)
    """Tokens of claims that may count as attempts: their workers died, fell silent, or failed on the picture."""
    phases: dict[str, str] = field(default_factory=dict)
    ended_by: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By item: token and state."""
    ends: dict[str, End] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    """Tasks that were past their retention."""
    grants: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By call: account and credits."""
    served: dict[str, tuple[int, set[str]]] = field(default_factory=dict)
    """By account: the number of the claim that served it last, and the items of others that waited then."""
    turns: int = 0
    urgent_turns: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, int] = field(default_factory=dict)
    """By item: its place in the order of acceptance, or behind all others."""
    results: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By task, of its items that are done."""
    takings: dict[str, str] = field(default_factory=dict)
    """By token of a courier: the errand."""
    behind: dict[str, str] = field(default_factory=dict)
    """By token of the claim that put it there: the item that is no longer urgent."""

    def crashed_errands(self) -> set[str]:
        """Those that three couriers took may have ended with their couriers."""
        return {errand for errand, count in Counter(self.takings.values()).items() if count >= 3}

    def may_retry(self, item: str) -> bool:
        """Whether it failed for a reason that need not be its picture's, and its source is kept."""
        end = self.ends.get(item)
        return (
            end is not None
            and end.kind in NOT_THE_PICTURES
            and not end.charged
            and (item in self.arrived or not self.items[item].fetched)
        )

    def to_retry(self, uid: str) -> list[str]:
        return [item for item in self.items if item.startswith(uid) and self.may_retry(item)]


class Oracle:
    """Compares what the server keeps with what it said."""

    def __init__(self, client: Any, prefix: str, limits: LedgerLimits) -> None:
        self._client, self._prefix, self._limits = client, prefix, limits
        self._script = client.register_script(_READ)
        self.known = Known()
        self.lost: set[str] = set()
        """Blobs that the storage lost, or that a server from before their deletion asks for."""
        self.delivered: set[str] = set()
        self.leaders: dict[str, tuple[str, int]] = {}
        """By sweep: who leads it, and until when."""
        self.spared: set[str] = set()
        """Blobs that the storage did not delete when it was told to."""
        self.effect_of: Any = None
        self._reaped: set[str] = set()
        self._strikes: dict[str, int] = {}
        self.stored: Callable[[], set[str]] = set

    def excuse(self, owner: str) -> None:
        """A worker died or fell silent: what it holds may count as an attempt."""
        self.known.excused |= {token for token, (_, holder) in self.known.claims.items() if holder == owner}

    # What the server answered

    def before(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """States of open items, and strikes of accounts, when a claim is made; records before a retry."""
        if name == "retry":
            keys = {"task": f"task:{given['uid']}", "account": f"account:{given['account']}"}
            return {name: self._client.hgetall(self._prefix + key) for name, key in keys.items()}
        if name != "claim":
            return {}
        names = [item for item in self.known.items if item not in self.known.ends]
        with self._client.pipeline(transaction=False) as pipeline:
            for item in names:
                pipeline.hget(f"{self._prefix}item:{item}", "state")
            for account in ACCOUNTS:
                pipeline.llen(f"{self._prefix}strikes:{account}")
            *states, alices, bobs, carols = pipeline.execute()
        self._strikes = dict(zip(ACCOUNTS, (alices, bobs, carols), strict=True))
        return dict(zip(names, states, strict=True))

    def saw(
        self, name: str, given: dict[str, Any], answer: Any, now_ms: int, before: dict[str, Any], late: bool
    ) -> None:
        """Learn from an answer."""
        seen = getattr(self, f"_saw_{name}", None)
        if seen is not None:
            seen(given, answer, now_ms, before, late)

    def compare(self, name: str, given: dict[str, Any], first: Any, second: Any) -> None:
        """A call that comes again has the first answer, unless it was refused.

        But what was fetched is moot once its item has ended for good.
        """
        if name not in ANSWERS_AGAIN or first in (0, None):
            return
        state = self._client.hget(f"{self._prefix}item:{given['item']}", "state") if name == "fetched" else ""
        if state in {"done", "failed", None} and not self.known.may_retry(given["item"]):
            return
        if name not in {"create", "kept"} or first[0] in {"created", "kept"}:
            require(first == second, name, "answered", first, "and then", second)

    def _saw_create(self, given: Any, answer: Any, now_ms: int, *_: Any) -> None:
        self._join(given, answer)
        uid = given["uid"]
        if answer[0] != "created" or uid in self.known.made:
            return
        self.known.made[uid] = 0
        kinds = [delivery["kind"] for delivery in json.loads(given.get("deliveries") or "[]")]
        self.known.deliveries[uid] = [f"{uid}:{kind}:{place}" for place, kind in enumerate(kinds)]
        for index, item in enumerate(given["items"]):
            self.known.items[f"{uid}:{index}"] = ItemFacts(
                given["account"],
                item["price"],
                self.effect_of(item),
                "urgent" in item,
                "url" in item,
                bool(item.get("keep")),
                item["source"],
            )
            self.known.numbers[f"{uid}:{index}"] = self._next_number()
            self.known.since_ms[f"{uid}:{index}"] = now_ms

    def _next_number(self) -> int:
        return max(self.known.numbers.values(), default=0) + 1

    def _join(self, given: Any, verdict: Any) -> None:
        joins = (given.get("idempotency") or {}).get("joins")
        if joins and verdict[0] in {"created", "repeated"}:
            self.known.joined[verdict[1]].add(joins)

    def _saw_look(self, given: Any, answer: Any, *_: Any) -> None:
        self._join(given, answer[1:])

    def _saw_grant(self, given: Any, answer: Any, *_: Any) -> None:
        self.known.grants[given["call"]] = given["account"], given["credit_count"]

    def _saw_claim(self, given: Any, answer: Any, _: int, before: dict[str, str], late: bool) -> None:
        token = given["token"]
        if answer is not None and token not in self.known.claims:
            self._require_turn(answer[0], before)
            self.known.claims[token] = answer[0], given["owner"]
        elif answer is None and not late and token not in self.known.claims:
            waiting = [item for item, state in before.items() if state == "queued"]
            may_wait = all(self._strikes[self.known.items[item].account] for item in waiting)
            require(may_wait, "a worker was told that nothing waits:", waiting)
        elif answer is not None:
            require(self.known.claims[token][0] == answer[0], "a claim was given two items")
        if late:
            self.known.excused.add(token)

    def _require_turn(self, item: str, before: dict[str, str]) -> None:
        """Accounts are served in turn; of one the urgent first, but each fourth turn is the oldest plain one's."""
        known, account = self.known, self.known.items[item].account
        require(before.get(item) == "queued", "claimed what does not wait:", item)
        queued = [name for name, state in before.items() if state == "queued"]
        running = {known.items[name].account for name, state in before.items() if state == "running"}
        own = sorted(
            (name for name in queued if known.items[name].account == account), key=known.numbers.__getitem__
        )
        behind = set(known.behind.values())
        urgent = [name for name in own if known.items[name].urgent and name not in behind]
        plain = [name for name in own if name not in urgent]
        plains_turn = known.urgent_turns[account] >= _PLAIN_EVERY - 1
        first = ((plain or urgent) if plains_turn else (urgent or plain))[0]
        require(item == first, "claimed", item, "of", account, "before", first)
        known.urgent_turns[account] = known.urgent_turns[account] + 1 if item in urgent else 0
        calm = {name for name in ACCOUNTS if not self._strikes[name]}
        others = {name for name in queued if known.items[name].account in calm - running - {account}}
        if account not in calm and self._strikes[account] >= self._limits.max_strikes:
            free = {known.items[name].account for name in queued} & calm
            require(not free, account, "is held back and was served before", free)
        _, waited = known.served.get(account, (0, set()))
        passed = {
            name
            for name in waited & others
            if (known.served.get(known.items[name].account, (0, set()))[0] < known.served[account][0])
        }
        require(not passed, account, "was served twice, and these waited:", passed)
        known.turns += 1
        known.served[account] = known.turns, others

    def _saw_renew(self, given: Any, answer: Any, *_: Any) -> None:
        if answer:
            self._require_holder(given["item"], given["token"])
            self.known.phases[given["token"]] = given["phase"]

    def _require_holder(self, item: str, token: str) -> None:
        own = [token for token, (name, _) in self.known.claims.items() if name == item]
        require(own[-1:] == [token], item, "is moved by", token, "and is", own[-1:])

    def _ended(self, item: str, token: str, state: str) -> None:
        first = self.known.ended_by.setdefault(item, (token, state))
        require(first == (token, state), item, "ended twice: by", first, "and", (token, state))

    def _saw_end(self, given: Any, answer: Any, *_: Any) -> None:
        if answer:
            self._require_holder(given["item"], given["token"])
            self._ended(given["item"], given["token"], given["state"])

    def _saw_fetched(self, given: Any, answer: Any, *_: Any) -> None:
        if answer:
            self.known.arrived.add(given["item"])

    def _saw_retry(self, given: Any, answer: Any, now_ms: int, before: dict[str, Any], *_: Any) -> None:
        """What failed through no fault of its picture waits again behind all others, if it may."""
        known, uid, account = self.known, given["uid"], given["account"]
        again, task = known.to_retry(uid), before["task"]
        if given["call"] in known.retries:
            require(answer == known.retries[given["call"]], "a repeated retry is answered", answer)
            return
        known.retries[given["call"]] = answer
        age_ms = now_ms - int(task.get("ended_at_ms", now_ms))
        if not task or "hidden" in task or age_ms >= self._limits.retention_seconds * 1_000:
            again = []
        verdict = self._refusal(given, before["account"], again) if again else "retried"
        require(answer[0] == verdict, uid, "is retried:", answer, "and not", verdict)
        if verdict != "retried":
            return
        require(answer[1] == len(again), uid, "is retried:", answer, "of", again)
        for item in again:
            self._begins_anew(item, account, now_ms)
        if again and "ended_at_ms" in task:
            known.made[uid] = known.made.pop(uid)
            self.delivered -= set(known.deliveries[uid])
            known.takings = {
                token: errand for token, errand in known.takings.items() if errand not in known.deliveries[uid]
            }
        if again:
            known.made[uid] += 1
            known.terminated.discard(uid)

    def _refusal(self, given: Any, account: dict[str, str], again: list[str]) -> str:
        granted, used, reserved, count = (
            int(account.get(name, 0)) for name in ("granted", "used", "reserved", "open")
        )
        if granted and sum(self.known.items[item].price for item in again) > granted - used - reserved:
            return "credits"
        if len(again) > given["account_cap"]:
            return "too_many"
        return "full" if count + len(again) > given["account_cap"] else "retried"

    def _begins_anew(self, item: str, account: str, now_ms: int) -> None:
        """What befell it before counts no more."""
        known = self.known
        del known.ends[item]
        known.ended_by.pop(item, None)
        known.failed_before[account] += 1
        known.since_ms[item] = now_ms
        known.numbers[item] = self._next_number()
        known.behind[f"retry of {item}"] = item
        name = f"{item} before {known.numbers[item]}"
        known.claims = {token: (name if of == item else of, owner) for token, (of, owner) in known.claims.items()}
        for _, waited in known.served.values():
            waited.discard(item)

    def _saw_kept(self, given: Any, answer: Any, *_: Any) -> None:
        if answer[0] == "kept":
            self._ended(given["item"], given["token"], "done")

    def _saw_fetch_failed(self, given: Any, answer: Any, *_: Any) -> None:
        if answer:
            self._ended(given["item"], given["token"], "failed")

    def _saw_give_back(self, given: Any, answer: Any, *_: Any) -> None:
        if answer and given.get("fault"):
            effect = self.known.items[given["item"]].effect
            require(effect is Effect.RAISES, given["item"], effect, "is accused by", given["token"])
            self.known.excused.add(given["token"])
        if answer and (given.get("fault") or given.get("behind")) and given["token"] not in self.known.behind:
            self.known.behind[given["token"]] = given["item"]
            self.known.numbers[given["item"]] = self._next_number()

    def _saw_take_errand(self, given: Any, answer: Any, *_: Any) -> None:
        if answer is not None:
            self.known.takings[given["token"]] = answer[0]

    def _saw_terminate(self, given: Any, answer: Any, *_: Any) -> None:
        uid = given["uid"]
        if not given.get("leaves"):
            self.known.terminated.add(uid)
            return
        self.known.left[uid].add(given["call"])
        if answer:
            joined, left = len(self.known.joined[uid]), len(self.known.left[uid])
            require(left >= joined, uid, "was terminated after", left, "of", joined, "had left")
            self.known.terminated.add(uid)

    def _saw_reap(self, given: Any, _: Any, now_ms: int, *_rest: Any) -> None:
        """After it nothing is over its time, and who waits is hinted at."""
        if given["call"] in self._reaped:
            return
        self._reaped.add(given["call"])
        late_ms = now_ms - given["queue_timeout_ms"]
        for key, until_ms in (("leases", now_ms), ("queued", late_ms)):
            require(
                not self._client.zcount(self._prefix + key, "-inf", until_ms), key, "has what is over its time"
            )
        since_ms = now_ms - given["hint_grace_ms"]
        waits = self._client.zcount(f"{self._prefix}lane:{LANE}", "-inf", since_ms)
        require(
            not waits or self._client.llen(f"{self._prefix}hints:{LANE}"), waits, "wait, and no worker is told"
        )

    def _saw_lead(self, given: Any, answer: Any, now_ms: int, *_: Any) -> None:
        leader, until_ms = self.leaders.get(given["sweep"], ("", 0))
        if answer == 0:
            alone = leader in {"", given["holder"]} or now_ms >= until_ms
            require(alone, given["holder"], "leads", given["sweep"], "beside", leader)
            self.leaders[given["sweep"]] = given["holder"], now_ms + given["hold_ms"]

    def _saw_forget(self, given: Any, _answer: Any, *_: Any) -> None:
        left = {
            blob for uid in given["uids"] for blob in self.known.results.get(uid, ())
        } & self.stored() - self.spared
        require(not left, "forgotten before its blobs were deleted:", left)

    def _saw_hide_expired(self, given: Any, answer: Any, now_ms: int, *_: Any) -> None:
        for uid, *_rest in answer:
            if uid in self.known.made:
                self.require_expired(uid, now_ms)
                self.known.gone.add(uid)

    def require_expired(self, uid: str, now_ms: int) -> None:
        """A task goes after its retention, or after the shorter one of what was terminated before it began."""
        retention = self._limits.retention_seconds
        if uid in self.known.terminated and not self.known.deliveries[uid]:
            retention = min(retention, self._limits.terminated_retention_seconds)
        ends = [end.when_ms for name, end in self.known.ends.items() if name.startswith(uid)]
        require(ends, uid, "was hidden and has not ended")
        latest = max(ends)
        require(now_ms - latest >= retention * 1_000 - 1_000, uid, "was hidden before its time")

    # What it keeps

    def read(self) -> dict[str, Any]:
        """Everything that the server has, by key without the prefix."""
        shapes: dict[str, Any] = {"hash": _pairs, "zset": _pairs, "set": set, "list": list, "string": str}
        return {
            key.removeprefix(self._prefix): shapes[kind](value) for key, kind, value in json.loads(self._script())
        }


def _pairs(flat: list[str]) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
