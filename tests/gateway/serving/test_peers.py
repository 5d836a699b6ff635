"""Floods from a few addresses, while somebody else asks, and what many callers that wait cost."""

import base64
import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from cutgate.jobs.observe import metric_names as names
from tests.gateway.harness import signed
from tests.gateway.installation import Installation, LiveGateway
from tests.gateway.waiting.test_holding import House, housed
from tests.servers.scrapes import scrape
from tests.waiting import eventually

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's many loopback addresses"),
]

TRIES = 20
PER_ADDRESS = 128
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
AN_ANSWER = b"GET /docs/viewer/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
MIB = 2**20
PHOTO = Path(__file__).parents[3] / "examples" / "coffee.jpg"


@dataclass
class Flood:
    """Connections from some addresses, each of which comes again after a pause when it is cut off."""

    gateway: LiveGateway
    addresses: int
    sent: bytes
    pause_seconds: float
    is_over: threading.Event = field(default_factory=threading.Event)
    opened: int = 0

    def run(self) -> None:
        host, _, port = self.gateway.address.partition(":")
        due = [(0.0, f"127.0.1.{number % self.addresses + 2}") for number in range(PER_ADDRESS * self.addresses)]
        with selectors.DefaultSelector() as selector:
            while not self.is_over.is_set():
                now = time.monotonic()
                ready, due = [one for one in due if one[0] <= now], [one for one in due if one[0] > now]
                for _, address in ready:
                    peer = socket.socket()
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
                    try:
                        peer.bind((address, 0))
                        peer.connect((host, int(port)))
                        peer.sendall(self.sent)
                    except OSError:
                        peer.close()
                        due.append((now + self.pause_seconds, address))
                    else:
                        selector.register(peer, selectors.EVENT_READ, address)
                        self.opened += 1
                due += [(now + self.pause_seconds, address) for address in self._ended(selector)]
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def _ended(self, selector: selectors.BaseSelector) -> Iterator[str]:
        """The addresses of those that are cut off; an answer is not read."""
        for key, _ in selector.select(0.05):
            assert isinstance(key.fileobj, socket.socket)
            try:
                is_over = not key.fileobj.recv(1, socket.MSG_PEEK) or self.sent is HALF_A_BODY
            except OSError:
                is_over = True
            if is_over:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                yield str(key.data)


@contextmanager
def flooded(gateway: LiveGateway, addresses: int, sent: bytes, pause_seconds: float) -> Iterator[Flood]:
    flood = Flood(gateway, addresses, sent, pause_seconds)
    thread = threading.Thread(target=flood.run)
    thread.start()
    try:
        eventually(lambda: flood.opened >= 0.9 * min(1_000, PER_ADDRESS * addresses))
        yield flood
    finally:
        flood.is_over.set()
        thread.join()


@pytest.fixture(scope="module")
def live(installation: Installation) -> Iterator[LiveGateway]:
    with installation.serving(CUTGATE_TRUSTED_PROXIES="") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def submit(installation: Installation, live: LiveGateway) -> Callable[[], int]:
    """A signed request with a picture of 134 KiB in Base64."""
    keys = installation.keys("add", "--name", "victim")
    picture = base64.b64encode(PHOTO.read_bytes()).decode()

    fields = {"Action": "RemoveBackground", "PublicKey": keys["public_key"], "RawImage": picture}
    body = json.dumps(signed(fields, keys["private_key"]))

    def send() -> int:
        return int(httpx.post(live.url, content=body, timeout=10).json()["RetCode"])

    return send


@pytest.mark.parametrize(
    ("addresses", "sent", "pause_seconds"),
    [
        pytest.param(8, HALF_A_BODY, 1.0, id="heads, renewed after a second"),
        pytest.param(8, AN_ANSWER, 1.0, id="answers that are not read"),
        pytest.param(9, HALF_A_BODY, 0.0, id="heads, renewed at once"),
        pytest.param(2, HALF_A_BODY, 0.0, id="heads from two addresses"),
    ],
)
def test_whoever_else_comes_is_answered(
    live: LiveGateway, submit: Callable[[], int], addresses: int, sent: bytes, pause_seconds: float
) -> None:
    with flooded(live, addresses, sent, pause_seconds):
        for _ in range(TRIES):
            assert httpx.get(f"{live.url}/healthz", timeout=10).status_code == 200
            assert submit() == 0


def _status(pid: int, name: str) -> int:
    """One of the figures that the system keeps of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def test_callers_that_wait_cost_no_thread_and_little_memory(installation: Installation) -> None:
    with housed(installation, HELD_CALLERS="1000") as house, ExitStack() as held:
        pid, picture = house.gateway.process.pid, house.new_picture()
        _hold(house, held, picture, 20)  # all threads are there
        before = {name: _status(pid, name) for name in ("Threads", "VmRSS")}
        _hold(house, held, picture, 500)
        assert _status(pid, "Threads") == before["Threads"]
        assert _status(pid, "VmRSS") - before["VmRSS"] < 20 * MIB / 1_024
        house.finish()


def _hold(house: House, held: ExitStack, picture: bytes, count: int) -> None:
    before = scrape(house.metrics_port).value(names.CALLERS_HELD) or 0
    for number in range(count):
        held.enter_context(house.ask(picture, account=f"account-{number % 4}"))
    house.held(round(before) + count)
