"""What the tests do with the client in `napari-rembg` from PyPI, run by its own interpreter.

`python driver_rembg.py URL PICTURE` prints one JSON object: what came of each scenario. The package's module is
loaded alone, since the rest of it needs a desktop. Nothing of it is changed; it sends no key.
"""

import importlib.metadata
import importlib.util
import json
import sys
from typing import Any

import numpy as np
from PIL import Image


def client_at(url: str) -> Any:
    [module] = [
        file
        for file in importlib.metadata.files("napari-rembg") or ()
        if file.name == "segmentation_api_client.py"
    ]
    spec = importlib.util.spec_from_file_location("segmentation_api_client", str(module.locate()))
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.SegmentationAPIClient(endpoint=f"{url}/api/remove")


def main(url: str, picture: str) -> dict[str, Any]:
    client = client_at(url)
    image = np.asarray(Image.open(picture).convert("RGB"))
    told: dict[str, Any] = {}
    for model in ("u2net", "birefnet-general", "isnet-general-use", "sam"):
        found = client.predict_via_api(image, model_name=model)
        side = image.shape[0]
        told[model] = (
            None if found is None else [list(found.shape), int(found[0, 0]), int(found[side // 2, side // 2])]
        )
    grey = client.predict_via_api(image[..., 0])
    told["grey"] = None if grey is None else list(grey.shape)
    return told


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(*sys.argv[1:])))
