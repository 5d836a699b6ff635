"""A service that says all that it can: at the level `debug`, and with traces."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.courier.outside import OutsideServer, Script, picture, serving
from tests.end_to_end.observed.collector import Collector, collecting
from tests.pictures.tiny_network import tiny_environment
from tests.servers.stack import ROOT, LiveStack, cutgate_up
from tests.waiting import eventually

HERE = "127.0.0.1"
PICTURE = (ROOT / "examples" / "chelsea.jpg").read_bytes()
URL_SECRET = "t0k3n-0f-4n-4ddr355"
CALLBACK_SECRET = "whsec_" + base64.b64encode(b"a secret that callbacks are signed with").decode()
HOOK = f"/hook?token={URL_SECRET}"


@dataclass
class Observed:
    stack: LiveStack
    outside: OutsideServer
    collector: Collector
    api_key: str
    secrets: dict[str, str] = field(default_factory=dict)
    """What no line may hold, by what it is."""

    def lines(self) -> list[tuple[str, dict[str, Any]]]:
        """Every line of the service's own processes, with the name of the process; each must be JSON."""
        text = (self.stack.data / "cutgate.log").read_text(encoding="utf-8").rpartition("\n")[0]
        relayed = re.findall(r"^\S+ (gateway|courier|worker-1) +\| (.*)$", text, re.MULTILINE)
        return [(part, json.loads(line)) for part, line in relayed]

    def wait_for(self, event: str, **fields: object) -> dict[str, Any]:
        """The first line of an event with such fields, once it is there."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.extend(one for _, one in self.lines() if one["event"] == event and fields.items() <= one.items())
            return bool(found)

        eventually(look, say=lambda: (event, fields))
        return found[0]


def answering(status: int) -> Script:
    return lambda visit: visit.answer(status)


@contextmanager
def observing(folder: Path) -> Iterator[Observed]:
    scripts = {
        "/cat.jpg": picture(PICTURE, "image/jpeg"),
        "/none.jpg": answering(404),
        **dict.fromkeys(("/hook", "/put"), answering(200)),
    }
    with ExitStack() as undo:
        outside = undo.enter_context(serving(OutsideServer(HERE, scripts)))
        collector = undo.enter_context(collecting())
        environment = {
            **tiny_environment(folder),
            "CUTGATE_COURIER_ALLOWED_NETWORKS": HERE,
            "CUTGATE_COURIER_PORTS": str(outside.port),
            "CUTGATE_LOG_FORMAT": "json",
            "CUTGATE_LOG_LEVEL": "debug",
            "CUTGATE_FAILED_SIGNATURES_PER_MINUTE": "1000",
            "CUTGATE_PUBLIC_URL": "",
            "CUTGATE_TRACES_URL": collector.url,
        }
        stack = undo.enter_context(cutgate_up(folder / "data", **environment))
        api_key = str(stack.keys("add", "--api-key", "--name", "shop")["api_key"])
        words = ("account", "first", "--callback-url", outside.url(HOOK), "--callback-secret", "stdin")
        stack.keys(*words, text=CALLBACK_SECRET)
        made = Observed(stack=stack, outside=outside, collector=collector, api_key=api_key)
        [master] = stack.data.rglob("cutgate_master_key")
        made.secrets = {
            "private key": stack.private_key,
            "API key": api_key,
            "master key": master.read_text(encoding="utf-8").strip(),
            "callback secret": CALLBACK_SECRET,
            "secret of an address": URL_SECRET,
        }
        yield made
