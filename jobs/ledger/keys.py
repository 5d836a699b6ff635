"""The Redis keys of the ledger, all behind one prefix whose hash tag keeps them in one slot of a cluster.

An item is named `<task uid>:<index>`, an errand `<task uid>:<kind>:<number>`: a fetch by its item's index, a delivery by
its place among the task's deliveries. Times are milliseconds since the epoch, credits are whole numbers.

| Key | Type | Holds |
| --- | --- | --- |
| `task:<uid>` | hash | account, origin, memo, request (that made it, where it is known), created_at_ms, ended_at_ms; item_count, open_count (not ended), done_count, started (1 from the first claim); deliveries (what falls due at its end, where there are any); hidden (1 once its blobs are being deleted); retries (where an operator had items wait again); until its end named (its idempotency key, where there is one), waiters (who joined it and waits, where that is counted), booked (the price of its items that are); from its end on items (JSON: for each item in order state, price, attempts, result, error, charged); kept (1 where items have sources that stay as long as the task); where it was terminated before anything was begun: terminated (the error that stands for its items, which have no hashes any more), retention_ms |
| `item:<item>` | hash | state, account, lane, spec, source, background (where a picture behind the subject lies), mask (where the mask lies that it is made from or, once it is done, was), kept_bytes (of its source and mask, where they stay for corrections), sent (1 where the source lay here while that was fetched), price, reserved (0 where not metered), number (of acceptance, for life; less 2^40 where the item is urgent), attempts, queued_at_ms; given_back (token of the claim that did); history (a line for each claim that is over: claimed_at_ms, how many ms it held, phase, why it ended, owner); fetched, kept or fetch_failed (token of the courier that did); from a claim on: token (of the claim that runs or ended it), owner, claimed_at_ms, hard_deadline_ms, phase (what the worker does, from its first renewal on); suspected_by (the first worker that failed on it and does others); at the end: result or error, ended_at_ms, charged (1 where it failed and is booked), and of the rest only state, price, attempts, history and tokens, and where it may be retried lane, spec, source and background; once its task has ended, unless items of that may be retried, only state, ended_at_ms, history and tokens |
| `account:<account>` | hash | granted (absent: not metered), used, reserved; booked (price of every item done, metered or not); open (items that wait or run); pace (items that workers ended since pace_since_ms, each counting for less as it ages until pace_at_ms); upload_bytes (of its uploads); kept_bytes (of what its tasks keep for corrections); urgent_turns (urgent items claimed since the last plain one) |
| `usage:<account>/<number>` | hash | the account's usage by UTC day, of 32 days from day 32 · number on, days since the epoch: `<day>:done`, `<day>:failed` (items that ended so), `<day>:credits` (that they were charged) |
| `usages` | zset | the names of all those hashes by their number |
| `strikes:<account>` | list, expires | when its last items hung, took long to decode or harmed their worker, newest first |
| `places:<rate>` | string, expires | when all places of a rate will be free, in microseconds |
| `alone:<account>` | string, expires | the item that was claimed last while the account was held back |
| `totals` | hash | accepted (last acceptance number), hints (sent so far), turn (last place in any line of accounts), open (items that wait or run), booked, done (items that ever were); pace, pace_since_ms, pace_at_ms (of all accounts) |
| `lanes` | set | every lane that an item ever waited in |
| `lane:<lane>` | zset | waiting items by the time since when |
| `hints:<lane>` | list | Celery's messages to the lane's workers: its queue as the broker keeps it |
| `turns:<lane>` | zset | accounts with waiting items by their place in the line; the first is served next |
| `waiting:<lane>/<account>` | zset | the account's waiting items by their number |
| `queued` | zset | waiting items of all lanes, and those that are still to be fetched, by queued_at_ms, for the limit on queue age |
| `leases` | zset | running items by the end of their lease, which is never past their hard deadline |
| `claims` | hash | token → running item |
| `errand:<errand>` | hash | account, url, keep (1 where what is fetched becomes an upload, else 0) and then upload_cap, upload_cap_bytes (of the account); background_url (of a picture behind the subject); rate (JSON, where the picture's megapixels count in one); attempt, first_due_at_ms; from the first taking on: owner, taken_at_ms; token (of the courier that has it); postponed (token of the courier that did); crashes (couriers that died with it) |
| `errands` | zset | errands by the time when they fall due: those that were postponed, and while a courier has one, the end of its lease |
| `due:<kind>/<account>` | zset | the account's errands of a kind that are due, by the time since when |
| `errand_turns:<kind>` | zset | accounts with such errands by their place in the line; of all kinds the lowest place is served next |
| `under_way:<account>` | zset | the account's errands that couriers have, by the end of the lease |
| `takings` | hash | token → errand that a courier has |
| `upload:<uid>` | hash | account, picture, used_at_ms; named (its idempotency key, where there is one); hidden (1 once its blob is being deleted) |
| `uploads` | zset | uploads by used_at_ms, for retention |
| `uploads_of:<account>` | hash | upload → its bytes, of the account's uploads |
| `uploaders` | set | accounts that have uploads |
| `unfinished:<account>` | zset | tasks with items that have not ended, by acceptance number of the first item |
| `ended` | zset | ended tasks by ended_at_ms, for retention |
| `failed` | zset | tasks of which an item has failed, by the time when the last one did, for operators |
| `idempotency:<account>/<digest of the key, or = and that of the content>` | string, expires | uid of the first task or upload, content_digest, until_ms (a repeat of the content counts; the name alone as long as the task is there), with blanks between |
| `answer:<token>` | string, expires | what a call without a claim answered, for its repeat; by an upload's id, that it was dropped |
| `leader:<sweep>` | string, expires | token of the process that does a sweep |
| `spent` | zset | sources of items that have ended, by the time from which they may be deleted |
| `installation` | string | the installation's id, which its storage holds, too |
| `past_claims` | zset | tokens of claims that ended in the last minute, by that time |
| `held:<owner>` | set | the running items of a worker |
| `lanes_of:<owner>` | set, expires | the lanes that a worker announces |
| `server` | hash | run_id of the server that the last reaper met, since_ms (0 for the first ever; later where it was frozen since) |
| `workers` | hash | owner and lane, with a blank between → what the worker says of the lane |
| `workers_until` | zset | the same names by the time until which they count as alive |
| `offered` | zset | lanes by the time when a worker last announced them |
| `events:<uid>` | channel | `<index> <state>` whenever an item of the task ends |
| `couriers` | channel | `due` whenever an errand falls due that no lapse of time makes due |
"""  # noqa: E501 — a row of a table is one line

import base64
import hashlib
from typing import Final

from cutgate.jobs.ids import TaskUid
from cutgate.jobs.record import ErrandKind

KEY_PREFIX: Final = "{cutgate}:"
USAGE_DAYS: Final = 32
"""Days of which a hash has an account's usage, as lua/shared/usage.lua has it."""


def item_name(uid: TaskUid, index: int) -> str:
    """The name of an item in keys and indexes."""
    return f"{uid}:{index}"


def parse_errand_name(name: str) -> tuple[TaskUid, ErrandKind, int]:
    """Task, kind and number from the name of an errand, `<task>:<kind>:<number>`, from lua/shared/errands.lua.

    The number is the item of a fetch; of a delivery its place among the task's.
    """
    uid, kind, number = name.split(":")
    return TaskUid(uid), ErrandKind(kind), int(number)


def idempotency_name(account: str, key: str) -> str:
    """The name of an account's idempotency key: of bounded length, and no two pairs share one."""
    return f"{account}/{short_digest(key)}"


def joining_name(account: str, content_digest: str) -> str:
    """The name of what an account asked for, which no key of a caller's is: a digest has no `=`."""
    return f"{account}/={short_digest(content_digest)}"


def short_digest(text: str) -> str:
    """128 bits of a text's SHA-256: enough that no two texts of an account share them."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
