"""What the tests do with `removebg` and `removebg-cli` from PyPI, run by their own interpreter.

`python driver_removebg.py URL KEY PICTURE FOLDER` prints one JSON object: what came of each scenario. Nothing
of the clients is changed but the host, in the way that each of them has for that.
"""

import base64
import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import removebg_cli  # type: ignore[import-not-found]
import requests
from removebg import removebg  # type: ignore[import-not-found]

VENDOR = "https://api.remove.bg"


def outcome(call: Callable[[], Any], file: Path) -> dict[str, Any]:
    """The file that a call writes, in Base64, or how it fails."""
    try:
        call()
    except requests.HTTPError as error:
        answer: Any = error.response
        return {"status": answer.status_code, "error": answer.json()["errors"][0]}
    return {"file": base64.b64encode(file.read_bytes()).decode()}


def command(url: str, key: str, *arguments: str) -> dict[str, Any]:
    """What the command says, and its exit code."""
    get, said = requests.get, io.StringIO()
    with (
        patch.object(sys, "argv", ["removebg", *arguments]),
        patch.object(removebg_cli, "console", removebg_cli.Console(file=said, width=200)),
        # Its other call has the host as a literal.
        patch.object(requests, "get", lambda address, **options: get(address.replace(VENDOR, url), **options)),
        patch.dict(os.environ, {"REMOVE_BG_API_KEY": key}),
        contextlib.suppress(SystemExit),
    ):
        removebg_cli.main()
        return {"said": said.getvalue(), "ended_well": True}
    return {"said": said.getvalue(), "ended_well": False}


def main(url: str, key: str, picture: str, folder: str) -> dict[str, Any]:
    place = Path(folder)
    removebg.API_ENDPOINT = removebg_cli.API_URL = f"{url}/v1.0/removebg"
    client = removebg.RemoveBg(key, str(place / "errors.log"))
    copy = place / "disc.png"
    copy.write_bytes(Path(picture).read_bytes())
    text = base64.b64encode(copy.read_bytes()).decode()
    by_text = place / "text.png"
    result = place / "result.webp"
    told = {
        "file": outcome(lambda: client.remove_background_from_img_file(str(copy)), place / "disc.png_no_bg.png"),
        "coloured": outcome(
            lambda: client.remove_background_from_base64_img(text, "4k", str(by_text), "81d4fa"), by_text
        ),
        "wrong_key": outcome(lambda: removebg.RemoveBg("no", "").remove_background_from_base64_img(text), by_text),
        "wrong_size": outcome(lambda: client.remove_background_from_img_file(str(copy), size="5k"), by_text),
        "command": command(url, key, str(copy), "-o", str(place / "cut.png"), "-c", "--shadow"),
        "command_webp": command(url, key, str(copy), "-s", "full", "-f", "webp", "-o", str(result)),
        "account": command(url, key, "--account"),
        "command_wrong_key": command(url, "no", str(copy)),
    }
    told["cropped"] = {"file": base64.b64encode((place / "cut.png").read_bytes()).decode()}
    told["webp"] = {"file": base64.b64encode(result.read_bytes()).decode()}
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
