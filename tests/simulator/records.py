"""Everything that the server keeps, compared with what it answered."""

import json
from collections import Counter, defaultdict
from typing import Any

from cutgate.jobs.limits import LedgerLimits
from tests.jobs.build import LANE
from tests.simulator.oracle import ACCOUNTS, End, Oracle, equal, require
from tests.simulator.pictures import Effect


class Records:
    """The server's keys at one moment."""

    def __init__(self, oracle: Oracle, limits: LedgerLimits, stored: set[str], now_ms: int) -> None:
        self._oracle, self._known, self._limits = oracle, oracle.known, limits
        self._stored, self._now_ms, self._raw = stored, now_ms, oracle.read()
        self._items, self._tasks = self._of("item:"), self._of("task:")
        self._open = {name: item for name, item in self._items.items() if "account" in item}

    def _of(self, kind: str) -> dict[str, Any]:
        return {key.removeprefix(kind): value for key, value in self._raw.items() if key.startswith(kind)}

    def _members(self, kind: str) -> set[str]:
        return {member for value in self._of(kind).values() for member in value}

    def _used(self, account: str, of: str) -> int:
        days = [day for fields in self._of(f"usage:{account}/").values() for day in fields.items()]
        return sum(int(count) for name, count in days if name.endswith(f":{of}"))

    def check(self) -> None:
        """Compare everything once."""
        self.check_tasks()
        self.check_credits()
        self.check_indexes()
        self.check_errands()
        self.check_blobs()
        self.check_results()
        self.check_blame()

    def check_tasks(self) -> None:
        known = self._known
        nobodys = set(self._tasks) - set(known.made)
        require(not nobodys, "tasks that nobody made:", nobodys)
        lost = set(known.made) - known.gone - set(self._tasks)
        require(not lost, "lost tasks:", lost)
        for uid, task in self._tasks.items():
            names = [f"{uid}:{index}" for index in range(int(task["item_count"]))]
            if "items" in task:
                found = [tuple(facts) for facts in json.loads(task["items"])]
            elif "terminated" in task:
                found = [("failed", 0, 0, None, json.loads(task["terminated"]), 0)] * len(names)
            else:
                found = [_facts(self._items.get(name, {}), uid) for name in names]
            for name, facts in zip(names, found, strict=True):
                self.check_item(name, facts)
            states = Counter(facts[0] for facts in found)
            count_open = len(found) - states["done"] - states["failed"]
            equal(f"{uid} open_count", int(task["open_count"]), count_open)
            equal(f"{uid} has ended", "ended_at_ms" in task, count_open == 0)
            equal(f"{uid} done_count", int(task["done_count"]), states["done"])
            equal(f"{uid} retries", int(task.get("retries", 0)), known.made[uid])
            equal(f"{uid} in `failed`", uid in self._raw.get("failed", ()), states["failed"] > 0)
            charged = [
                known.items[name].price for name in names if name in known.ends and known.ends[name].charged
            ]
            require(not count_open or int(task.get("booked", 0)) == sum(charged), uid, task, "booked", charged)
            joined, left = len(known.joined[uid]), len(known.left[uid])
            waiters = int(task.get("waiters", joined))
            require(
                max(joined - left, 0) <= waiters <= joined, uid, waiters, "wait:", joined, "came,", left, "left"
            )

    def check_item(self, name: str, facts: tuple[Any, ...]) -> None:
        state, _, _, result, error, charged = facts
        known, uid = self._known, name.partition(":")[0]
        if state not in {"done", "failed"}:
            require(name not in known.ended_by, name, "is", state, "and was ended by", known.ended_by.get(name))
        if name in known.ends:
            require(known.ends[name].state == state, name, "was", known.ends[name], "and is", state)
        if name in known.ends or state not in {"done", "failed"}:
            return
        ended_by = known.ended_by.get(name)
        if ended_by is not None or state == "done":
            require(ended_by is not None and ended_by[1] == state, name, "is", state, "and was ended by", ended_by)
        kind = (error or {}).get("kind", "")
        known.ends[name] = End(state, self._now_ms, state == "done" or bool(charged), kind)
        if state == "failed":
            self.check_failure(name, uid, kind, charged=bool(charged))
        else:
            require(result, name, "is done and has no result")
            if result[0].startswith(uid):
                known.results[uid].add(result[0])

    def check_failure(self, name: str, uid: str, kind: str, *, charged: bool) -> None:
        """An item fails for a reason that is its own, or because too much befell it."""
        known, item = self._known, self._known.items[name]
        tokens = [token for token, (of, _) in known.claims.items() if of == name]
        deaths = sum(token in known.excused for token in tokens)
        waited_seconds = (self._now_ms - known.since_ms[name]) / 1_000
        hung = any(known.phases.get(token) == "computing" for token in tokens)
        guilty = {
            "terminated": uid in known.terminated,
            "worker_lost": deaths >= self._limits.max_attempts,
            "timed_out": hung,
            "waited_too_long": waited_seconds >= self._limits.queue_timeout_seconds,
            "blob_missing": item.source in self._oracle.lost or item.fetched,
            "decoding_stopped": item.effect is Effect.STOPS,
            "source_undecodable": item.effect is Effect.BAD,
            "pipeline_failed": item.effect is Effect.RAISES,
            "processing_failed": item.fetched,
            "source_unreachable": item.fetched,
            "uploads_full": item.keep,
        }
        require(
            guilty.get(kind), name, item.effect, "failed with", kind, f"after {deaths} of {len(tokens)} claims"
        )
        harmful = kind in {"worker_lost", "timed_out", "decoding_stopped", "pipeline_failed"}
        require(
            not charged or (harmful and self._limits.charge_strikes), name, "failed with", kind, "and is charged"
        )

    def check_credits(self) -> None:
        known, totals, ends = self._known, self._raw.get("totals", {}), Counter[str]()
        for account in ACCOUNTS:
            fields = self._raw.get(f"account:{account}", {})
            own = {name: item for name, item in self._open.items() if item["account"] == account}
            ended = [(known.items[name], end) for name, end in known.ends.items()]
            ended = [(item, end) for item, end in ended if item.account == account]
            charged = sum(item.price for item, end in ended if end.charged)
            granted = sum(count for of, count in known.grants.values() if of == account)
            wanted = {
                "booked": charged,
                "granted": granted,
                "used": charged if granted else 0,
                "reserved": sum(known.items[name].price for name in own) if granted else 0,
                "open": len(own),
                "upload_bytes": sum(map(int, self._raw.get(f"uploads_of:{account}", {}).values())),
            }
            equal(account, {name: int(fields.get(name, 0)) for name in wanted}, wanted)
            equal(f"{account} reserved", sum(int(item["reserved"]) for item in own.values()), wanted["reserved"])
            require(
                len(own) <= self._limits.account_queue_cap, account, "has", len(own), "items, more than it may"
            )
            states = Counter(end.state for _, end in ended)
            ends += states
            used = {"credits": charged, "done": states["done"]}
            used["failed"] = states["failed"] + known.failed_before[account]
            equal(f"{account} usage", {of: self._used(account, of) for of in used}, used)
        equal("totals.open", int(totals.get("open", 0)), len(self._open))
        equal("totals.done", int(totals.get("done", 0)), ends["done"])

    def check_indexes(self) -> None:
        raw, named = self._raw, defaultdict[str, set[str]](set)
        for name, item in self._open.items():
            named[item["state"]].add(name)
        running, queued = named["running"], named["queued"]
        for name, until_ms in raw.get("leases", {}).items():
            deadline_ms = int(self._items[name].get("hard_deadline_ms", 0))
            require(int(until_ms) <= deadline_ms, name, "has a lease past its deadline")
        equal("claims", raw.get("claims", {}), {self._open[name]["token"]: name for name in running})
        uploads = {key[7:] for key in raw if key.startswith("upload:")}
        for index, found, wanted in (
            ("leases", raw.get("leases", ()), running),
            ("held", self._members("held:"), running),
            ("waiting", self._members("waiting:"), queued),
            ("lane", raw.get(f"lane:{LANE}", ()), queued),
            ("queued", raw.get("queued", ()), queued | named["fetching"]),
            ("turns", raw.get(f"turns:{LANE}", ()), {self._open[name]["account"] for name in queued}),
            ("ended", raw.get("ended", ()), {uid for uid, task in self._tasks.items() if "ended_at_ms" in task}),
            ("uploads", raw.get("uploads", ()), uploads),
            ("uploads_of", self._members("uploads_of:"), uploads),
        ):
            equal(index, set(found), wanted)
        for account in ACCOUNTS:
            tasks = [(uid, self._tasks[uid]) for uid in self._known.made if uid in self._tasks]
            wait = [uid for uid, task in tasks if task["account"] == account and int(task["open_count"])]
            equal(f"unfinished of {account}", [*raw.get(f"unfinished:{account}", ())], wait)

    def check_errands(self) -> None:
        errands = {key[7:]: value for key, value in self._raw.items() if key.startswith("errand:")}
        places = set(self._raw.get("errands", ())) | self._members("due:")
        require(set(errands) <= places, "errands that nobody finds:", set(errands) - places)
        for kind in ("fetch", "callback", "upload"):
            lines = {key.rpartition("/")[2] for key in self._raw if key.startswith(f"due:{kind}/")}
            require(set(self._raw.get(f"errand_turns:{kind}", ())) == lines, kind, "turns of", lines)
        takings = self._raw.get("takings", {})
        held = {errand["token"]: name for name, errand in errands.items() if "token" in errand}
        require(takings == held, "takings", takings, "of", held)
        require(self._members("under_way:") == set(held.values()), "under way", held)
        fetching = {name for name, item in self._open.items() if item["state"] == "fetching"}
        fetches = {name.replace(":fetch:", ":") for name in errands if ":fetch:" in name}
        require(fetches == fetching, "fetches", fetches ^ fetching)
        known = self._known
        owed = {
            name
            for uid, names in known.deliveries.items()
            for name in names
            if uid not in known.gone and self._has_ended(uid)
        }
        missing = owed - set(errands) - self._oracle.delivered - self._oracle.known.crashed_errands()
        require(not missing, "deliveries that nobody made:", missing)

    def _has_ended(self, uid: str) -> bool:
        own = [name for name in self._known.items if name.startswith(uid)]
        return all(name in self._known.ends for name in own)

    def check_blobs(self) -> None:
        """What may be asked for is there; an ended item's source as long as a failover may want it back."""
        there = self._stored | self._oracle.lost
        for name, item in self._open.items():
            if item["state"] != "fetching":
                require(item["source"] in there, name, "is", item["state"], "and its source was deleted")
        for name, end in self._known.ends.items():
            item = self._known.items[name]
            if self._now_ms - end.when_ms < self._limits.source_seconds * 1_000 and not item.fetched:
                require(item.source in there, name, "ended just now, and its source was deleted")
        for uid, task in self._tasks.items():
            own = {
                name: item for name, item in self._items.items() if name.startswith(uid) and name not in self._open
            }
            kept = {name: item for name, item in own.items() if "source" in item}
            again = sorted(name for name, item in kept.items() if item["state"] == "failed")
            equal(f"{uid} may be retried", again, sorted(self._known.to_retry(uid)))
            require(not kept or "kept" in task, uid, "does not say that it keeps", kept)
            blobs = {item[role] for item in kept.values() for role in ("source", "mask") if role in item}
            require("hidden" in task or blobs <= there, uid, "has lost what it keeps:", blobs - there)
            spent = blobs & set(self._raw.get("spent", ()))
            require(not spent, uid, "keeps these, and they are to be deleted:", spent)
        for account in ACCOUNTS:
            uids = {uid for uid, task in self._tasks.items() if task["account"] == account}
            kept_bytes = sum(
                int(item.get("kept_bytes", 0)) for name, item in self._items.items() if name[:20] in uids
            )
            equal(
                f"{account} keeps", int(self._raw.get(f"account:{account}", {}).get("kept_bytes", 0)), kept_bytes
            )

    def check_results(self) -> None:
        there = self._stored | self._oracle.lost
        for uid, task in self._tasks.items():
            ends = json.loads(task.get("items", "[]")) if "hidden" not in task else []
            # Another one's is an upload's, which may be dropped.
            own = {result[0] for _, _, _, result, *_ in ends if result and result[0].startswith(uid)}
            require(own <= there, uid, "has lost its results", own - there)
        for key, upload in self._raw.items():
            if key.startswith("upload:") and "hidden" not in upload:
                require(json.loads(upload["picture"])["blob"] in there, key, "has lost its picture")

    def check_blame(self) -> None:
        known = self._known
        deaths = Counter(of for token, (of, _) in known.claims.items() if token in known.excused)
        for name, item in self._open.items():
            may_be = deaths[name] + (item["state"] == "running" and item["token"] not in known.excused)
            attempts, most = int(item["attempts"]), self._limits.max_attempts - (item["state"] != "running")
            require(0 <= attempts <= may_be, name, "has", attempts, "attempts of", may_be)
            require(attempts <= most, name, "is", item["state"], "after", attempts, "attempts")
        hung = {of for token, (of, _) in known.claims.items() if known.phases.get(token) == "computing"}
        harmful = {Effect.STOPS, Effect.KILLS, Effect.HANGS, Effect.RAISES}
        guilt: Counter[str] = Counter()
        for name in {of for of, _ in known.claims.values()}:
            item = known.items[name.partition(" ")[0]]
            guilt[item.account] += (item.effect in harmful or name in hung) + max(deaths[name] - 1, 0)
        for account in ACCOUNTS:
            guilty = guilt[account]
            strikes = self._raw.get(f"strikes:{account}", [])
            require(len(strikes) <= guilty, account, "has", len(strikes), "strikes of", guilty)


def _facts(item: dict[str, str], uid: str) -> tuple[Any, ...]:
    require("state" in item, uid, "has an item without a state")
    result, error = item.get("result"), item.get("error")
    decoded = [None if text is None else json.loads(text) for text in (result, error)]
    return item["state"], item.get("price"), item.get("attempts"), *decoded, int(item.get("charged", 0))
