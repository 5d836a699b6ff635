"""Installs Cutgate from a folder of wheels into an empty environment of this Python, and cuts out a photo.

    python3.14 use_wheel.py WHEELS PHOTO MODELS

Only the standard library is imported here. No package index is asked: `pip download` filled the folder before.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

USE = """
import sys
from cutgate import remove_background
cutout = remove_background(sys.argv[1])
alpha = cutout.array[..., 3]
assert cutout.subject_found and alpha.min() == 0 and alpha.max() == 255, (alpha.min(), alpha.max())
print("cut out", cutout, "on Python", sys.version.split()[0])
"""


def main(wheels: str, photo: str, models: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder, "bin")
        (wheel,) = Path(wheels).glob("cutgate-*.whl")
        options = ["--quiet", "--no-index", "--find-links", wheels]
        run([programs / "python", "-m", "pip", "install", *options, f"{wheel}[worker,cpu]"])
        run([programs / "python", "-m", "pip", "check"])
        run([programs / "cutgate", "--version"])
        environment = {"CUTGATE_MODELS_DIR": models, "CUTGATE_CACHE_DIR": str(Path(folder, "graphs"))}
        run([programs / "python", "-W", "error", "-c", USE, photo], environment)


def run(command: "list[str | Path]", environment: "dict[str, str] | None" = None) -> None:
    alone = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "CUTGATE", "PIP"))}
    subprocess.run(command, env=alone | (environment or {}), cwd="/", check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
