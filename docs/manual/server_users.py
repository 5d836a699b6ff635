"""The users of the ledger's server: each part of the service may do what it needs there, and nothing else.

What a script touches stands in its text, so a user's keys and commands are read from the scripts that its part
runs; only what it calls besides is listed here. The lines go, without passwords, into the files that the server's
starts read: in containers, and with `cutgate up`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cutgate.jobs.ledger.database import script_texts
from cutgate.jobs.ledger.keys import KEY_PREFIX

_ROOT: Final = Path(__file__).parents[2]
FILES: Final = (_ROOT / "deploy" / "redis" / "users.acl", _ROOT / "cutgate" / "local" / "users.acl")
_KEY: Final = re.compile(r"\bkey\('(\w+)'(,?)")
_COMMAND: Final = re.compile(r"\bredis\.call\('(\w+)'")
_CONNECTION: Final = ("client", "ping", "select")
_TAKEN_BACK: Final = ("-@admin", "-@dangerous", "+info", "-client|tracking")
"""From all that was given before: servers differ in the subcommands that they know by name.

Who tracks is told the names of all keys that anybody changes, with the accounts in them.
"""
_SCRIPTS: Final = ("eval", "evalsha", "script|load")
_HINTS: Final = (f"{KEY_PREFIX}hints:*", "_kombu.binding*")
"""Keys of Celery's queues and of what is bound to them."""
_EVENTS: Final = (f"{KEY_PREFIX}events:*", f"{KEY_PREFIX}couriers")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """What one part of the service may do in the server.

    Attributes:
        scripts: of `jobs/ledger/lua/`, by name.
        commands: that it calls besides, in Redis's lower case.
        keys: patterns of the keys that those are for.
        read_keys: patterns of keys that it may only read.
        channels: that it may publish on, or subscribe to.
    """

    scripts: tuple[str, ...]
    commands: tuple[str, ...]
    keys: tuple[str, ...] = ()
    read_keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = _EVENTS

    def rules(self) -> str:
        """As an access control list has them."""
        texts = "\n".join(script_texts()[name] for name in self.scripts)
        named = {f"{KEY_PREFIX}{kind}{':*' if named else ''}" for kind, named in _KEY.findall(texts)}
        keys = sorted({KEY_PREFIX, *named, *self.keys})
        called = {command.lower() for command in _COMMAND.findall(texts)}
        commands = sorted({*called, *self.commands, *_CONNECTION, *_SCRIPTS})
        return " ".join(
            (
                "resetchannels",
                *(f"~{key}" for key in keys),
                *(f"%R~{key}" for key in self.read_keys),
                *(f"&{channel}" for channel in self.channels),
                "-@all",
                *(f"+{command}" for command in commands),
                *_TAKEN_BACK,
            )
        )


USERS: Final = {
    "courier": User(
        scripts=(
            *("errand_done", "errands_due", "fetch_failed", "fetched", "kept", "postpone", "take_errand"),
            "read",
        ),
        commands=("del", "exists", "get", "hget", "psubscribe", "set", "setnx"),
        keys=(f"{KEY_PREFIX}courier:*", f"{KEY_PREFIX}installation"),
        # The secrets that sign callbacks, which only the master key opens.
        read_keys=(f"{KEY_PREFIX}accounts",),
    ),
    "worker": User(
        scripts=(
            *("claim", "end", "give_back", "give_back_owned", "renew"),
            *("alive", "announce", "leave"),
            *("defer", "forget", "forget_spent", "forget_usage", "hide_expired", "lead", "reap", "spent"),
            "unrecorded",
        ),
        commands=(
            *("brpop", "del", "exec", "get", "hdel", "hget", "hset", "llen", "lpush", "ltrim", "multi", "rpop"),
            *("rpush", "sadd", "set", "setnx", "smembers", "unwatch", "watch", "zadd", "zrem", "zrevrangebyscore"),
        ),
        keys=(
            f"{KEY_PREFIX}installation",
            f"{KEY_PREFIX}lanes",
            *_HINTS,
            "unacked",
            "unacked_index",
            "unacked_mutex",
        ),
    ),
}
"""The parts that meet what strangers send: servers' answers, and pictures."""

_OTHERS: Final = {
    # For health checks, which have no password.
    "default": "on nopass resetkeys resetchannels -@all +ping",
    # It has every account's keys to do with; the server it does not run.
    "gateway": " ".join(("~* &* +@all", *_TAKEN_BACK, "-function -script|flush -script|kill")),
    # For whoever runs the service.
    "operator": "~* &* +@all",
}


def access_control_list() -> str:
    """A line for each user, by name. All but the default one lack `on` and a password."""
    rules = {**_OTHERS, **{name: user.rules() for name, user in USERS.items()}}
    return "".join(f"user {name} {rules[name]}\n" for name in sorted(rules))


def write() -> None:
    """Write the files anew."""
    for file in FILES:
        file.write_text(access_control_list(), encoding="utf-8")
