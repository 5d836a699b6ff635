"""Floods from a few addresses, while somebody else asks, and what many callers that wait cost."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from cutgate.jobs.observe import metric_names as names
from tests.gateway.harness import signed
from tests.gateway.installation import Installation, LiveGateway
from tests.gateway.waiting.test_holding import House, housed
from tests.hostile.live.floods import FLOODS, flooded
from tests.servers.scrapes import scrape

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's many loopback addresses"),
]

TRIES = 20
MIB = 2**20
PHOTO = Path(__file__).parents[3] / "examples" / "coffee.jpg"


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


@pytest.mark.parametrize("kind", FLOODS)
def test_whoever_else_comes_is_answered(live: LiveGateway, submit: Callable[[], int], kind: str) -> None:
    with flooded(int(live.address.rpartition(":")[2]), kind):
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
