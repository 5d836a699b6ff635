"""`Client()` without arguments: the service of the environment, or the stack that runs on this machine."""

import os
from collections.abc import Iterator

import pytest

from cutgate import Client, KeyPairMissing, ServiceNotNamed
from cutgate.client.client import find_service
from cutgate.local.data_folder import Account, DataDir, StackFacts, default_data_dir
from tests.cutgate.conftest import Service
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png

pytestmark = pytest.mark.usefixtures("bare_environment")


@pytest.fixture
def running_stack(service: Service, bare_environment: None) -> Iterator[str]:
    """A stack that says in the default data folder that it runs."""
    data = DataDir(default_data_dir())
    with data.locked():
        data.keep_account(Account(PUBLIC_KEY, PRIVATE_KEY, "api-key"))
        data.announce(StackFacts(service.url, os.getpid(), None))
        yield service.url


def set_service(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CUTGATE_URL", url)
    monkeypatch.setenv("CUTGATE_PUBLIC_KEY", PUBLIC_KEY)
    monkeypatch.setenv("CUTGATE_PRIVATE_KEY", PRIVATE_KEY)


def test_the_environment_names_service_and_account(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    set_service(monkeypatch, service.url)
    with Client() as client:
        assert client.remove_background(png()).status().state == "Queuing"


@pytest.mark.usefixtures("running_stack")
def test_the_stack_that_runs_here_is_asked_as_its_own_account() -> None:
    with Client() as client:
        assert client.balance().used == 0


@pytest.mark.usefixtures("running_stack")
def test_the_stacks_keys_sign_for_no_other_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyPairMissing, match=r"no key pair for http://elsewhere.example; set CUTGATE_PUBLIC_KEY"):
        Client("http://elsewhere.example")
    monkeypatch.setenv("CUTGATE_URL", "http://elsewhere.example")
    with pytest.raises(KeyPairMissing):
        Client()


def test_what_is_given_counts_before_all(running_stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_service(monkeypatch, "http://elsewhere.example")
    assert find_service(running_stack, "public", "private") == (running_stack, "public", "private")
    monkeypatch.delenv("CUTGATE_URL")
    assert find_service(public_key="public", private_key="private")[0] == running_stack
    with pytest.raises(KeyPairMissing):
        find_service(public_key="public")


def test_where_neither_is_there_the_error_says_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = default_data_dir()
    with pytest.raises(ServiceNotNamed) as refused:
        Client()
    assert str(refused.value) == (
        f"no service is named, and none runs in {folder}; set CUTGATE_URL, CUTGATE_PUBLIC_KEY and"
        " CUTGATE_PRIVATE_KEY, or start one with cutgate up"
    )
    monkeypatch.setenv("CUTGATE_URL", "")
    with pytest.raises(ServiceNotNamed):
        Client()
