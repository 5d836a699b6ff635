"""What the tests do with a client that OpenAPI Generator made from the description of rembg's own server.

`python driver_rembg_generated.py FOLDER URL KEY PICTURE` prints one JSON object: what came of each scenario.
FOLDER holds the generated package, of which nothing is changed.
"""

import importlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image


def seen(answer: Any) -> dict[str, Any]:
    """What a response is: status, and of a picture its mode, a corner and the middle; else its JSON."""
    body = answer.data
    if answer.headers.get("Content-Type") != "image/png":
        return {"status": answer.status, "detail": json.loads(body)["detail"]}
    with Image.open(io.BytesIO(body)) as image:
        middle = image.width // 2, image.height // 2
        return {"status": answer.status, "mode": image.mode, "corner": image.getpixel((0, 0))} | {
            "middle": image.getpixel(middle)
        }


def main(folder: str, url: str, key: str, picture: str) -> dict[str, Any]:
    sys.path.insert(0, folder)
    rembg_api: Any = importlib.import_module("rembg_api")  # generated, so it is nowhere but in the folder

    file = Path(picture).name, Path(picture).read_bytes()
    bearer = {"Authorization": f"Bearer {key}"}
    with rembg_api.ApiClient(rembg_api.Configuration(host=url)) as client:
        api = rembg_api.BackgroundRemovalApi(client)
        # Its description says that answers are JSON: the raw ones are what it can give.
        post = api.post_index_api_remove_post_without_preload_content
        get = api.get_index_api_remove_get_without_preload_content
        return {
            "plain": seen(post(file)),
            "model": seen(post(file, model="isnet-general-use", _headers=bearer)),
            "matted": seen(post(file, a=True, af=230, ab=20, ae=5, ppm=True)),
            "filled": seen(post(file, bgc="1,2,3,255")),
            "mask": seen(post(file, om=True, dc=False)),
            "no picture": seen(post(("a.png", b"none"))),
            "wrong key": seen(post(file, _headers={"Authorization": "Bearer wrong"})),
            "wrong url": seen(get("http://127.0.0.1:1/a.png")),
        }


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(*sys.argv[1:])))
