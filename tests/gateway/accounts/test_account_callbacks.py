"""Callbacks as a setting of an account: its secret is shown once, lies encrypted, and every task tells its end."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials, stored_name
from cutgate.gateway.accounts.records import AccountError, Terms
from cutgate.gateway.accounts.tables import ACCOUNTS, KeyTable
from tests.gateway.harness import there
from tests.ledgers import stored_records

URL = "https://calls.example/done?key=hidden"
SECRET = "whsec_" + base64.b64encode(bytes(24)).decode()


@pytest.fixture(autouse=True)
def _anna(credentials: Credentials) -> None:
    credentials.add_pair("anna", public_key="one")


def test_the_secret_is_made_with_the_first_url_and_stays(accounts: Accounts) -> None:
    made = accounts.set_callback("anna", URL)
    assert made is not None
    assert Webhook(made).sign("id", datetime.now(UTC), "{}")
    assert accounts.callback_secret("anna") == made
    assert accounts.set_callback("anna", "http://other.example") is None
    assert accounts.record("anna").callback_url == "http://other.example"
    assert accounts.callback_secret("anna") == made


def test_another_secret_takes_its_place(accounts: Accounts) -> None:
    accounts.set_callback("anna", URL)
    assert accounts.set_callback("anna", secret=SECRET) == SECRET
    assert accounts.callback_secret("anna") == SECRET
    assert accounts.record("anna").callback_url == URL


def test_every_credential_of_the_account_knows_the_url(accounts: Accounts, credentials: Credentials) -> None:
    api_key = credentials.add_api_key("anna")
    accounts.set_callback("anna", URL)
    for found in (credentials.find_pair("one"), credentials.find_api_key(stored_name(api_key))):
        assert there(found).account.callback_url == URL


def test_it_can_be_dropped(accounts: Accounts) -> None:
    accounts.set_callback("anna", URL)
    accounts.drop_callback("anna")
    assert accounts.record("anna").callback_url is None
    assert accounts.callback_secret("anna") is None
    with pytest.raises(AccountError, match="no callback URL"):
        accounts.set_callback("anna", secret=SECRET)
    again = accounts.set_callback("anna", URL)
    assert again == accounts.callback_secret("anna")


def test_terms_and_callback_leave_each_other_alone(accounts: Accounts) -> None:
    accounts.set_callback("anna", URL, SECRET)
    accounts.change("anna", active=False, forget=Terms.model_fields)
    assert accounts.record("anna").callback_url == URL
    accounts.set_callback("anna", "https://other.example")
    assert not accounts.record("anna").active


def test_nothing_shows_the_secret(accounts: Accounts, credentials: Credentials, key_table: KeyTable) -> None:
    accounts.set_callback("anna", URL, SECRET)
    assert SECRET.removeprefix("whsec_") not in stored_records(key_table, ACCOUNTS)["anna"]
    shown = repr((accounts, accounts.record("anna"), credentials.find_pair("one")))
    assert SECRET not in shown
    assert "hidden" not in shown


def test_a_secret_counts_for_its_own_account_and_master_key_only(accounts: Accounts, key_table: KeyTable) -> None:
    accounts.set_callback("anna", URL)
    key_table.add(ACCOUNTS, "bert", key_table.all(ACCOUNTS)["anna"])
    with pytest.raises(AccountError, match="cannot be read"):
        accounts.callback_secret("bert")
    with pytest.raises(AccountError, match="cannot be read"):
        Accounts(key_table, [b"\1" * 32]).callback_secret("anna")


@pytest.mark.parametrize(
    "secret",
    [
        *("whsec_" + base64.b64encode(bytes(size)).decode() for size in (0, 23, 65)),
        SECRET.removeprefix("whsec_"),
        SECRET + "\n",
        SECRET.replace("A", "ä"),
        "whpk_" + SECRET.removeprefix("whsec_"),
    ],
)
def test_secrets_that_are_refused(accounts: Accounts, secret: str) -> None:
    with pytest.raises(AccountError, match="24 to 64 bytes") as caught:
        accounts.set_callback("anna", URL, secret)
    assert secret == "whsec_" or secret not in str(caught.value)
    assert accounts.record("anna").callback_url is None
