"""The gateway loads no image code and no worker."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = {"numpy", "PIL", "cv2", "scipy", "onnxruntime", "onnx", "rembg", "worker"}


def test_the_gateway_loads_no_image_code() -> None:
    code = "import sys, gateway.__main__, gateway.wsgi; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert FORBIDDEN.isdisjoint(done.stdout.split())
