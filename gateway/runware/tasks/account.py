"""Handler of the task that shows the account."""

from __future__ import annotations

import uuid
from typing import Final

from cutgate.gateway.runware.messages.answers import JsonObject, Outcome
from cutgate.gateway.runware.messages.reading import read_fields
from cutgate.gateway.runware.messages.requests import AccountManagement
from cutgate.gateway.runware.tasks.services import Asked, Caller, Services

_ORGANIZATIONS: Final = uuid.UUID("8f2f7c4e-93b1-4b7a-9a86-4a4b1d0f6f52")
"""Names organizations by their accounts."""


def account_management(task: JsonObject, asked: Asked, caller: Caller, services: Services) -> Outcome:
    """Show the account: one organization, without a team."""
    request = read_fields(AccountManagement, task)
    name = caller.account.name
    balance = services.store.balance(name)
    available = 0 if balance is None else balance.available
    usage = {"usedCredits": services.store.booked(name)}
    if balance is not None:
        usage |= {"grantedCredits": balance.granted, "availableCredits": available}
    return Outcome(
        item=asked.echo()
        | {
            "operation": request.operation,
            "organizationUUID": str(uuid.uuid5(_ORGANIZATIONS, name)),
            "organizationName": name,
            "balance": services.rendering.usd(available),
            "team": [],
            "apiKeys": [],
            "usage": usage,
        }
    )
