"""The users of the ledger's server, in the files that its starts read: in containers, and with `cutgate up`."""

from pathlib import Path
from typing import Final

from cutgate.jobs.ledger.users import access_control_list

_ROOT: Final = Path(__file__).parents[2]
FILES: Final = (_ROOT / "deploy" / "redis" / "users.acl", _ROOT / "cutgate" / "local" / "users.acl")


def write() -> None:
    """Write the files anew."""
    for file in FILES:
        file.write_text(access_control_list(), encoding="utf-8")
