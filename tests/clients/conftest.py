"""Fixtures: a running stack on the tiny network, and what each official client told after its run against it."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.clients.installed import HERE, PINS, node, npm_packages, python_client, run
from tests.servers.stack import LiveStack, tiny_stack

SIDE_PX = 96
Told = dict[str, Any]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A service on the tiny network that answers every official client."""
    settings = {
        "CUTGATE_USD_PER_CREDIT": "0.0006",
        "CUTGATE_SUBMITS_PER_SECOND": "1000",
        "CUTGATE_TRUSTED_PROXIES": "127.0.0.1",
    }
    with tiny_stack(tmp_path_factory.mktemp("stack"), **settings) as live:
        yield live


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dark disc, which the tiny network takes for the subject, on a bright ground."""
    path = tmp_path_factory.mktemp("pictures") / "disc.png"
    image = Image.new("RGB", (SIDE_PX, SIDE_PX), (250, 240, 230))
    ImageDraw.Draw(image).ellipse((24, 24, 72, 72), fill=(20, 30, 40))
    image.save(path)
    return path


def told_by(*command: str, **environment: str) -> Told:
    told = json.loads(run(*command, cwd=HERE, **environment).splitlines()[-1])
    assert isinstance(told, dict)
    return told


def told_against(client: str, url: str, api_key: str, picture: Path, *words: str, **environment: str) -> Told:
    """What one of Runware's clients tells after its run against the service at an address."""
    sockets_url = url.replace("http", "ws", 1) + "/v1"
    rest = (api_key, str(picture), *words)
    if client == "sdk_js":
        module = npm_packages("sdk-js-1.3.2", PINS) / "@runware" / "sdk-js" / "dist" / "index.js"
        return told_by(node(), "driver_sdk_js.mjs", str(module), sockets_url, *rest, **environment)
    if client == "runware":
        python = python_client("runware", "0.5.24")
        return told_by(str(python), "driver_runware.py", sockets_url, *rest, **environment)
    python, transport = python_client("runware-sdk", "1.8.0"), client.removeprefix("sdk_")
    place = {"websocket": sockets_url, "rest": f"{url}/v1"}[transport]
    return told_by(str(python), "driver_runware_sdk.py", transport, place, *rest, **environment)


@pytest.fixture(scope="session")
def tell(tiny: LiveStack, picture: Path) -> Callable[[str], Told]:
    """What a client tells after its one run against the stack."""

    @cache
    def told(client: str) -> Told:
        return told_against(client, tiny.url, tiny.api_key, picture)

    return told
