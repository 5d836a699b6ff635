"""Fixtures: accounts on an empty table, and their credentials."""

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials
from cutgate.gateway.accounts.tables import KeyTable
from tests.fakes import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def accounts(key_table: KeyTable, clock: ManualClock) -> Accounts:
    return Accounts(key_table, [bytes(32)], clock)


@pytest.fixture
def credentials(accounts: Accounts) -> Credentials:
    return Credentials(accounts)
