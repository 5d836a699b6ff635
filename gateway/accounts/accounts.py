"""Accounts: their terms, whether they are active, and where the ends of their tasks are reported."""

import base64
import binascii
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from cutgate.gateway.accounts.records import AccountError, AccountRecord, Terms
from cutgate.gateway.accounts.seals import Seal
from cutgate.gateway.accounts.tables import ACCOUNTS, KeyTable, Resealed
from cutgate.gateway.web_url import WEB_URL_FORM, is_web_url

UNMETERED_CREDITS: Final = 1_000_000_000
"""What an account that was never granted credits is told to have: clients check that some are left."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_STANDARD_MARK: Final = "whsec_"
_SECRET_BYTES: Final = 32
_SECRET_LENGTHS: Final = range(24, 65)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a key belongs to, and on which terms."""

    name: str
    terms: Terms = field(default_factory=Terms)
    callback_url: str | None = field(default=None, repr=False)
    """Where the end of each of its tasks is reported."""


class Accounts:
    """Makes, shows and changes accounts.

    Methods raise `AccountError` where there is no account of the name, or a value has a form that is not allowed.
    """

    def __init__(
        self, table: KeyTable, master_keys: Sequence[bytes], clock: Callable[[], float] = time.time
    ) -> None:
        """Keep records in a table; `master_keys` have 32 bytes each, and secrets are sealed under the first."""
        self.table = table
        self.clock = clock
        self._master_keys = master_keys
        self._callback_seal = self.seal("callback secrets")

    def seal(self, purpose: str) -> Seal:
        """What encrypts secrets of one purpose."""
        return Seal(self._master_keys, purpose)

    def record(self, name: str) -> AccountRecord:
        """An account as it stands; `AccountError` where there is none of the name."""
        found = self.table.get(ACCOUNTS, name)
        if found is None:
            raise AccountError(_no_account(name))
        return found

    def change(
        self, name: str, *, terms: Terms | None = None, active: bool | None = None, forget: Collection[str] = ()
    ) -> AccountRecord:
        """Change what is given of an account, and return it as it stands then.

        Args:
            name: the account.
            terms: what is set in them replaces what holds.
            active: whether its keys count.
            forget: names of terms; what was set of these before counts no more.
        """

        def changed(account: AccountRecord) -> AccountRecord:
            before = account.terms.model_copy(update=dict.fromkeys(forget))
            given = {} if terms is None else terms.model_dump(exclude_none=True)
            return account.model_copy(
                update={
                    "terms": before.model_copy(update=given),
                    "active": account.active if active is None else active,
                }
            )

        return self._change(name, changed)

    def set_callback(self, name: str, url: str | None = None, secret: str | None = None) -> str | None:
        """Report the end of each of an account's tasks to a URL, signed.

        Args:
            name: the account.
            url: where; what was set before when absent.
            secret: what signs, as `whsec_` and Base64; when absent what was set before, or one that is made.

        Returns:
            The new secret, which is shown this once; None where the one before stays.
        """
        if url is not None and not is_web_url(url):
            raise AccountError(WEB_URL_FORM)
        if secret is not None:
            _require_secret(secret)
        made = secret or new_callback_secret()
        sealed = self._callback_seal.close(name, made)

        def changed(account: AccountRecord) -> AccountRecord:
            if url is None and account.callback_url is None:
                raise AccountError("the account has no callback URL")
            kept = account.callback_secret if secret is None else None
            return account.model_copy(
                update={"callback_url": url or account.callback_url, "callback_secret": kept or sealed}
            )

        return made if self._change(name, changed).callback_secret == sealed else None

    def drop_callback(self, name: str) -> None:
        """Report no more of an account's tasks, and forget what signed that."""
        dropped = {"callback_url": None, "callback_secret": None}
        self._change(name, lambda account: account.model_copy(update=dropped))

    def callback_secret(self, name: str) -> str | None:
        """What signs an account's callbacks; None where it has none, or there is no such account.

        Raises:
            AccountError: it was sealed under another master key, or altered.
        """
        found = self.table.get(ACCOUNTS, name)
        sealed = None if found is None else found.callback_secret
        return None if sealed is None else self._callback_seal.open(name, sealed)

    def reseal(self) -> Iterator[tuple[str, Resealed]]:
        """Seal every callback secret under the first master key; yields each account and what became of it."""
        return self.table.reseal(ACCOUNTS, self._under_first_key)

    def _under_first_key(self, name: str, account: AccountRecord) -> AccountRecord:
        if account.callback_secret is None:
            return account
        return account.model_copy(
            update={"callback_secret": self._callback_seal.renewed(name, account.callback_secret)}
        )

    def begin(self, name: str) -> None:
        """Make an account unless there is one: it goes before its keys, which never stand without one."""
        if not _NAME.fullmatch(name):
            raise AccountError("an account's name is 1 to 64 letters, digits and . _ @ -")
        self.table.add(ACCOUNTS, name, AccountRecord(created_at_seconds=self.clock()))

    def all(self) -> dict[str, AccountRecord]:
        """Every account as it stands."""
        return self.table.all(ACCOUNTS)

    def _change(self, name: str, change: Callable[[AccountRecord], AccountRecord]) -> AccountRecord:
        return self.table.change(ACCOUNTS, name, change, missing=_no_account(name))


def new_callback_secret() -> str:
    """Make a secret in the form of Standard Webhooks."""
    return _STANDARD_MARK + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def _require_secret(secret: str) -> None:
    try:
        size = len(base64.b64decode(secret.removeprefix(_STANDARD_MARK), validate=True))
    except (binascii.Error, ValueError):
        size = -1
    if not secret.startswith(_STANDARD_MARK) or size not in _SECRET_LENGTHS:
        raise AccountError(f"a callback secret is {_STANDARD_MARK} and 24 to 64 bytes in Base64")


def _no_account(name: str) -> str:
    return f"there is no account {name!r}"
