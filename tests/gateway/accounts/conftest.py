"""Fixtures: accounts on an empty table, and their keys."""

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.api_keys import ApiKeys
from cutgate.gateway.accounts.key_pairs import KeyPairs
from cutgate.gateway.accounts.tables import KeyTable
from tests.fakes import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def accounts(key_table: KeyTable, clock: ManualClock) -> Accounts:
    return Accounts(key_table, [bytes(32)], clock)


@pytest.fixture
def pairs(accounts: Accounts) -> KeyPairs:
    return KeyPairs(accounts)


@pytest.fixture
def api_keys(accounts: Accounts) -> ApiKeys:
    return ApiKeys(accounts)
