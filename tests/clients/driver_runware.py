"""What the tests do with the official client `runware`, run by that client's own interpreter.

`python driver_runware.py URL KEY PICTURE` prints one JSON object: what came of each scenario. With a further word,
`queued`, these are three asynchronous tasks at once.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runware import IBackgroundRemovalSettings, IImageBackgroundRemoval, Runware, RunwareAPIError

MATTING = {"alphaMatting": True, "alphaMattingErodeSize": 12, "alphaMattingForegroundThreshold": 230}


async def outcome(call: Awaitable[Any]) -> dict[str, Any]:
    """What a call gives, or how it fails."""
    try:
        async with asyncio.timeout(100):
            images = await call
    except RunwareAPIError as error:
        return {"error": error.error_data}
    except Exception as error:
        return {"error": {"code": type(error).__name__, "message": str(error)}}
    found = images[0] if isinstance(images, list) else images
    return {name: value for name, value in asdict(found).items() if value is not None}


def removal(picture: str, settings: dict[str, Any] | None = None, **fields: Any) -> IImageBackgroundRemoval:
    chosen = None if settings is None else IBackgroundRemovalSettings(**settings)
    return IImageBackgroundRemoval(inputImage=picture, settings=chosen, **fields)


async def polled(client: Runware, picture: str) -> dict[str, Any]:
    """An asynchronous task, asked for until its end, and then once more."""
    accepted = await outcome(
        client.imageBackgroundRemoval(removal(picture, webhookURL="https://callbacks.invalid/done"))
    )
    task_uuid = accepted["taskUUID"]
    return {
        "first": await outcome(client.getResponse(task_uuid)),
        "again": await outcome(client.getResponse(task_uuid)),
    }


async def main(url: str, key: str, path: str, *words: str) -> dict[str, Any]:
    picture = "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()
    client = Runware(key, url=url)
    await client.connect()
    if "queued" in words:
        jobs = await asyncio.gather(*(polled(client, picture) for _ in range(3)))
        await client.disconnect()
        return {"queued": jobs}
    remove = client.imageBackgroundRemoval
    told = {"defaults": await outcome(remove(removal(picture)))}
    for kind in ("URL", "base64Data", "dataURI"):
        told[kind] = await outcome(remove(removal(picture, outputType=kind, outputFormat="PNG")))
    told["matting"] = await outcome(remove(removal(picture, MATTING, outputFormat="PNG")))
    told["mask"] = await outcome(remove(removal(picture, {"returnOnlyMask": True}, outputFormat="PNG")))
    # A local file is uploaded first, and the removal names it by its UUID.
    told["upload"] = await outcome(remove(removal(path, outputFormat="PNG")))
    told["cost"] = await outcome(remove(removal(picture, includeCost=True)))
    told["invalid"] = await outcome(remove(removal(picture, {**MATTING, "alphaMattingErodeSize": 0})))
    # With this client the way to asynchronous work is a webhook, and then a poll.
    accepted = await outcome(remove(removal(picture, webhookURL="https://callbacks.invalid/done")))
    told["acknowledged"] = accepted
    told["async"] = await outcome(client.getResponse(accepted["taskUUID"]))
    told["details"] = await outcome(client.getTaskDetails(accepted["taskUUID"]))
    await client.disconnect()
    stranger = Runware("wrong", url=url)
    await stranger.connect()
    told["wrong_key"] = await outcome(stranger.uploadImage(path))
    await stranger.disconnect()
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
