"""WebSockets on the real server: uvicorn, Redis, files."""

import signal

import pytest
from websockets.frames import CloseCode

from tests.gateway.installation import Installation, LiveGateway
from tests.gateway.runware.service import Item, poll, removal
from tests.gateway.sockets.serving import Caller, calling
from tests.waiting import eventually


@pytest.fixture(scope="module")
def api_key(installation: Installation) -> str:
    return str(installation.keys("add", "--api-key", "--name", "shop")["api_key"])


def assert_no_faults(gateway: LiveGateway) -> None:
    lines = [line for line in gateway.log.read_text().splitlines() if "Traceback" in line]
    assert not lines, lines[0]


def ask(caller: Caller, task: Item) -> Item:
    caller.send(task)
    return caller.next()


def test_a_gateway_that_is_told_to_stop_closes_busy_sockets_with_1012_and_idle_ones_with_1000(
    installation: Installation, api_key: str
) -> None:
    with installation.serving(CUTGATE_SHUTDOWN_SECONDS="5") as gateway:
        with calling(gateway.address) as idle, calling(gateway.address) as busy:
            idle.authenticate(api_key)
            session = busy.authenticate(api_key)
            task = removal(deliveryMethod="sync")
            busy.send(task)
            # Its acknowledgement by the ledger shows in the poll of another connection.
            eventually(lambda: "data" in ask(idle, poll(task)))
            gateway.process.send_signal(signal.SIGTERM)
            assert idle.close_code() == CloseCode.NORMAL_CLOSURE
            assert busy.close_code() == CloseCode.SERVICE_RESTART
        assert gateway.process.wait(30) == 0
        assert_no_faults(gateway)
    with installation.serving() as other, calling(other.address) as again:
        assert again.authenticate(api_key, session) == session, "any process of the installation resumes it"
