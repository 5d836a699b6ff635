"""`python -m cutgate.gateway keys`, as an operator types it."""

import base64
import json
from collections.abc import Iterator

import pytest

from cutgate.gateway.accounts.accounts import Accounts
from cutgate.gateway.accounts.credentials import Credentials, stored_name
from cutgate.gateway.accounts.tables import KeyTable
from cutgate.jobs.redis_client import connect
from tests.gateway.harness import MASTER_KEY, make_settings, there
from tests.gateway.installation import Installation

TERMS = {
    "price_credits": 3,
    "submits_per_second": 20,
    "polls_per_second": 100,
    "queue_cap": 7,
    "upload_cap": 8,
    "upload_bytes": 9_000,
    "model": "u2netp",
    "precision": "fast",
}
UNSET = dict.fromkeys(TERMS)


@pytest.fixture
def accounts(installation: Installation) -> Iterator[Accounts]:
    """What a gateway process sees."""
    with connect(installation.redis_url) as client:
        yield Accounts(KeyTable(client), make_settings().master_keys())


def private_keys(accounts: Accounts, public_key: str) -> tuple[str, ...]:
    return there(Credentials(accounts).find_pair(public_key)).private_keys


def assert_refused(installation: Installation, code: int, message: str, *arguments: str, given: str = "") -> str:
    done = installation.call("keys", *arguments, given=given)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    return done.stdout + done.stderr


def test_an_account_with_terms_of_its_own(installation: Installation, accounts: Accounts) -> None:
    options = [f"--{name.replace('_', '-').removesuffix('-credits')}={value}" for name, value in TERMS.items()]
    made = installation.keys("add", "--name", "anna", "--credits", "9", *options)
    assert made.keys() == {"account", "public_key", "private_key", "available_credits"}
    assert made["available_credits"] == 9
    assert there(Credentials(accounts).find_pair(made["public_key"])).account.terms.model_dump() == TERMS
    (row,) = (row for row in installation.keys("list") if row["account"] == "anna")
    assert row.pop("created_at").endswith("+00:00")
    shown = {"account": "anna", "public_key": made["public_key"], "api_key": None, "active": True}
    means = {"state": "active", "credits_left": 9, "credits_used": 0, "kept_bytes": 0}
    assert row == {**shown, "private_key_count": 1, **TERMS, **means}


def test_keys_that_clients_have_already(installation: Installation, accounts: Accounts) -> None:
    add = ("add", "--name", "kurt", "--public-key", "abcdefg")
    installation.keys(*add, given=f"{'k' * 32}\n")
    assert private_keys(accounts, "abcdefg") == ("k" * 32,)
    assert_refused(installation, 1, "Error: the public key is taken\n", *add, given=f"{'o' * 32}\n")
    assert_refused(installation, 1, "Error: ", "add", "--public-key", "new")


@pytest.mark.parametrize(
    ("length", "code", "told"),
    [(19, 1, "Error: the private key has fewer than 20"), (20, 0, "Warning"), (31, 0, "Warning"), (32, 0, "")],
)
def test_a_short_private_key_is_refused_or_warned_of(
    installation: Installation, accounts: Accounts, length: int, code: int, told: str
) -> None:
    name, private_key = f"pair-of-{length}", "x" * length
    done = installation.call("keys", "add", "--public-key", name, "--json", given=f"{private_key}\n")
    assert (done.returncode, done.stderr[: len(told)]) == (code, told)
    assert bool(done.stderr) == bool(told)
    assert private_key not in done.stderr
    assert (Credentials(accounts).find_pair(name) is None) is (code == 1)


def test_an_account_is_shown_and_changed(installation: Installation, accounts: Accounts) -> None:
    key = installation.keys("add", "--name", "bert", "--price", "3")["public_key"]
    shown = installation.keys("account", "bert", "--queue-cap", "5", "--suspended")
    changed = {**UNSET, "price_credits": 3, "queue_cap": 5, "active": False, "metered": False}
    assert shown.items() >= changed.items()
    assert Credentials(accounts).find_pair(key) is None
    shown = installation.keys("account", "bert", "--defaults", "--price", "0", "--active")
    assert shown.items() >= {**UNSET, "price_credits": 0, "active": True}.items()
    assert shown == installation.keys("account", "bert")
    assert "price credits: 0\nsubmits per second: -\n" in installation.call("keys", "account", "bert").stdout


def test_an_accounts_model(installation: Installation) -> None:
    installation.keys("add", "--name", "fay", "--preset", "fast", "--price", "2")

    def chosen(*options: str) -> tuple[str | None, str | None]:
        shown = installation.keys("account", "fay", *options)
        assert shown["price_credits"] == 2
        return shown["model"], shown["precision"]

    assert chosen() == ("isnet-general-use", "fast")
    assert chosen("--model", "u2netp") == ("u2netp", None)  # which may not be there as `fast`
    assert chosen("--preset", "best") == ("birefnet-general", "exact")
    assert chosen("--preset", "default") == (None, None)
    assert chosen("--model", "u2netp", "--precision", "exact") == ("u2netp", "exact")
    assert_refused(installation, 2, "--model", "account", "fay", "--model", "a/b")
    assert_refused(installation, 2, "--model", "account", "fay", "--preset", "best", "--model", "u2netp")
    assert_refused(installation, 2, "use --preset", "account", "fay", "--model", "best")
    assert chosen() == ("u2netp", "exact")


def test_a_key_is_rotated_without_a_gap(installation: Installation, accounts: Accounts) -> None:
    old = installation.keys("add", "--name", "carl")
    key = old["public_key"]
    new = installation.keys("rotate", key)
    assert new.keys() == {"account", "public_key", "private_key"}
    assert private_keys(accounts, key) == (old["private_key"], new["private_key"])
    listed = installation.call("keys", "list").stdout + json.dumps(installation.keys("list"))
    assert key in listed
    for pair in (old, new):
        assert pair["private_key"] not in listed
    assert installation.keys("rotate", "--finish", key) == {"public_key": key, "private_key_count": 1}
    assert private_keys(accounts, key) == (new["private_key"],)


def test_a_rotation_with_a_grace_time_finishes_itself(installation: Installation, accounts: Accounts) -> None:
    key = installation.keys("add", "--name", "dora")["public_key"]
    new = installation.keys("rotate", key, "--grace", "0")
    assert private_keys(accounts, key) == (new["private_key"],)
    assert_refused(installation, 2, "takes no --grace", "rotate", key, "--grace", "5", "--finish")


def test_an_api_key_belongs_to_the_same_account(installation: Installation, accounts: Accounts) -> None:
    installation.keys("add", "--name", "gerd", "--credits", "5")
    made = installation.keys("add", "--api-key", "--name", "gerd", "--credits", "4", "--price", "2")
    assert made.keys() == {"account", "api_key", "available_credits"}
    assert (made["account"], made["available_credits"]) == ("gerd", 9)
    found = there(Credentials(accounts).find_api_key(stored_name(made["api_key"])))
    assert (found.account.name, found.account.terms.price_credits) == ("gerd", 2)
    pair, bearer = [row for row in installation.keys("list") if row["account"] == "gerd"]
    assert (pair["api_key"], pair["price_credits"]) == (None, 2)
    assert (bearer["public_key"], bearer["api_key"]) == (None, made["api_key"][:16])
    assert (bearer["active"], bearer["private_key_count"], bearer["price_credits"]) == (True, None, 2)
    table = installation.call("keys", "list").stdout
    assert bearer["api_key"] in table
    assert made["api_key"] not in table
    options = ("add", "--api-key", "--public-key", "x")
    assert_refused(installation, 2, "takes no --public-key", *options, given="y\n")


def test_an_api_key_is_revoked_by_what_the_list_shows(installation: Installation, accounts: Accounts) -> None:
    key = installation.keys("add", "--api-key", "--name", "hans")["api_key"]
    assert installation.keys("revoke", key[:16]) == {"api_key": key[:16], "active": False}
    assert Credentials(accounts).find_api_key(stored_name(key)) is None
    assert_refused(installation, 1, "Error: the API key is revoked\n", "revoke", key)


@pytest.mark.parametrize(("public_url", "warned"), [("", True), ("https://cut.example", False)])
def test_callbacks_whose_results_would_have_no_host_are_warned_of(
    installation: Installation, public_url: str, warned: bool
) -> None:
    installation.keys("add", "--name", "ines")
    options = ("keys", "account", "ines", "--callback-url", "https://calls.example/done")
    done = installation.call(*options, CUTGATE_PUBLIC_URL=public_url)
    assert done.returncode == 0
    assert ("CUTGATE_PUBLIC_URL is unset" in done.stderr) is warned


def test_callbacks_are_set_and_dropped(installation: Installation, accounts: Accounts) -> None:
    installation.keys("add", "--name", "ida")
    url = "https://calls.example/done"
    secret = installation.keys("account", "ida", "--callback-url", url)["callback_secret"]
    assert accounts.callback_secret("ida") == secret
    shown = installation.keys("account", "ida")
    assert (shown["callback_url"], "callback_secret" in shown) == (url, False)
    made = installation.keys("account", "ida", "--callback-secret", "new")["callback_secret"]
    assert accounts.callback_secret("ida") == made != secret
    installation.keys("account", "ida", "--callback-secret", "stdin", given=f"{secret}\n")
    assert accounts.callback_secret("ida") == secret
    assert installation.keys("account", "ida", "--no-callback")["callback_url"] is None
    assert accounts.callback_secret("ida") is None


@pytest.mark.parametrize(
    ("arguments", "given", "code", "message"),
    [
        (("--callback-secret", "new"), "", 1, "no callback URL"),
        (("--callback-secret", "stdin"), "", 1, "no callback secret on standard input"),
        (("--callback-secret", "stdin"), "geheim\n", 1, "24 to 64 bytes"),
        (("--callback-url", "calls.example"), "", 1, "a URL is http://"),
        (("--callback-url", "https://a", "--no-callback"), "", 2, "takes no other option"),
    ],
)
def test_callbacks_that_are_refused(
    installation: Installation, arguments: tuple[str, ...], given: str, code: int, message: str
) -> None:
    installation.keys("add", "--name", "jan")
    told = assert_refused(installation, code, message, "account", "jan", "--price", "9", *arguments, given=given)
    assert "geheim" not in told
    # Nothing of such a call counts.
    assert installation.keys("account", "jan")["price_credits"] is None


def test_credits(installation: Installation) -> None:
    installation.keys("add", "--name", "fritz")
    assert installation.keys("credits", "fritz") == {"account": "fritz", "metered": False, "used": 0}
    expected = {"account": "fritz", "metered": True, "granted": 5, "used": 0, "reserved": 0, "available": 5}
    assert installation.keys("credits", "fritz", "--grant", "5") == expected
    assert installation.keys("credits", "fritz") == expected
    assert "available: 5\n" in installation.call("keys", "credits", "fritz").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("credits", "nobody", "--grant", "5"), "there is no account 'nobody'"),
        (("account", "nobody", "--price", "5"), "there is no account 'nobody'"),
        (("rotate", "nobody"), "there is no such key pair"),
        (("revoke", "nobody"), "there is no such key pair"),
        (("revoke", "cutgate_nobody"), "there is no such API key"),
        (("account", "nobody", "--no-callback"), "there is no account 'nobody'"),
    ],
)
def test_what_is_not_there(installation: Installation, arguments: tuple[str, ...], message: str) -> None:
    assert_refused(installation, 1, f"Error: {message}\n", *arguments)


def test_stored_secrets_are_encrypted_anew(installation: Installation, accounts: Accounts) -> None:
    key = installation.keys("add", "--name", "karl")["public_key"]
    installation.keys("account", "karl", "--callback-url", "https://example.com/")
    before, new = private_keys(accounts, key), base64.b64encode(b"n" * 32).decode()
    for outcome in ("resealed", "unchanged"):
        done = installation.call("keys", "reseal", "--json", CUTGATE_MASTER_KEY=f"{new} {MASTER_KEY}")
        assert (done.returncode, json.loads(done.stdout)[outcome] > 0) == (0, True), done.stderr
    with connect(installation.redis_url) as client:
        assert private_keys(Accounts(KeyTable(client), [b"n" * 32]), key) == before
    done = installation.call("keys", "reseal", "--json")
    assert done.returncode == 1
    assert f"{key}: encrypted with a master key that is not set\n" in done.stderr
    assert json.loads(done.stdout)["unreadable"] > 0
    # The tests beside this one share the table.
    assert installation.call("keys", "reseal", CUTGATE_MASTER_KEY=f"{MASTER_KEY} {new}").returncode == 0


def test_off_a_terminal_the_table_is_the_same(installation: Installation) -> None:
    key = installation.keys("add", "--name", "nora")["public_key"]
    installation.keys("account", "nora", "--suspended")
    revoked = installation.keys("add", "--name", "otto", "--preset", "fast")["public_key"]
    installation.keys("revoke", revoked)
    printed = installation.call("keys", "list").stdout
    _, heads, _, *lines = (line for line in printed.splitlines() if line.strip())
    assert heads.split() == ["account", "state", "key", "left", "used", "kept", "terms"]
    rows = [line.split() for line in lines]
    assert ["nora", "suspended", f"{key[:12]}…", "unmetered", "0", "0", "MiB"] in rows
    assert (
        f"otto revoked {revoked[:12]}… unmetered 0 0 MiB model isnet-general-use, precision fast".split() in rows
    )
    found = {row["public_key"]: (row["state"], row["active"]) for row in installation.keys("list")}
    assert (found[key], found[revoked]) == (("suspended", False), ("revoked", False))
