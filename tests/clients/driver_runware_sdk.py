"""What the tests do with the official client `runware-sdk`, run by that client's own interpreter.

`python driver_runware_sdk.py TRANSPORT URL KEY PICTURE` prints one JSON object: what came of each scenario.
TRANSPORT is `websocket` or `rest`. With a further word, `queued`, these are three asynchronous tasks at once.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from runware import Runware, RunwareError

MATTING = {"alphaMatting": True, "alphaMattingErodeSize": 12, "alphaMattingForegroundThreshold": 230}


async def outcome(call: Awaitable[Any]) -> dict[str, Any]:
    """What a call gives, or how it fails."""
    try:
        async with asyncio.timeout(100):
            found = await call
    except RunwareError as error:
        return {"error": {"code": error.code, "message": error.message, "parameter": error.parameter}}
    except Exception as error:
        return {"error": {"code": type(error).__name__, "message": str(error)}}
    item = found[0] if isinstance(found, list) else found
    assert isinstance(item, dict)
    return item


def removal(picture: str, **fields: Any) -> dict[str, Any]:
    return {
        "taskType": "removeBackground",
        "model": "runware:109@1",
        "inputs": {"image": picture},
        "deliveryMethod": "sync",
        **fields,
    }


def client_of(transport: str, url: str, key: str) -> Any:
    place = {"rest": "http_base_url", "websocket": "ws_base_url"}[transport]
    return Runware(api_key=key, transport=transport, **{place: url})


async def wrong_key(transport: str, url: str, picture: str) -> Any:
    async with client_of(transport, url, "wrong") as stranger:
        return await stranger.run(removal(picture))


async def polled(client: Any, picture: str) -> dict[str, Any]:
    """An asynchronous task, asked for until its end, and then once more."""
    first = await outcome(client.run(removal(picture, deliveryMethod="async")))
    return {"first": first, "again": await outcome(client.get_response({"taskUUID": first.get("taskUUID")}))}


async def main(transport: str, url: str, key: str, path: str, *words: str) -> dict[str, Any]:
    picture = "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()
    if "queued" in words:
        async with client_of(transport, url, key) as client:
            return {"queued": await asyncio.gather(*(polled(client, picture) for _ in range(3)))}
    async with client_of(transport, url, key) as client:
        told = {"defaults": await outcome(client.run(removal(picture)))}
        for kind in ("URL", "base64Data", "dataURI"):
            told[kind] = await outcome(client.run(removal(picture, outputType=kind, outputFormat="PNG")))
        told["matting"] = await outcome(client.run(removal(picture, settings=MATTING, outputFormat="PNG")))
        only_mask = {"returnOnlyMask": True}
        told["mask"] = await outcome(client.run(removal(picture, settings=only_mask, outputFormat="PNG")))
        uploaded = await outcome(client.image_upload({"image": picture}))
        told["uploaded"] = uploaded
        told["upload"] = await outcome(client.run(removal(uploaded.get("imageUUID", ""), outputFormat="PNG")))
        told["cost"] = await outcome(client.run(removal(picture, includeCost=True)))
        broken = {**MATTING, "alphaMattingErodeSize": 0}
        told["invalid"] = await outcome(client.run(removal(picture, settings=broken)))
        told["async"] = await outcome(client.run(removal(picture, deliveryMethod="async")))
        several = await asyncio.gather(*(outcome(client.run(removal(picture))) for _ in range(5)))
        told["several"] = {"imageUUIDs": [item.get("imageUUID") for item in several]}
    told["wrong_key"] = await outcome(wrong_key(transport, url, picture))
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
