"""`python -m deploy.release` builds what a release publishes; CONTRIBUTING.md has all of its steps."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.release.files import build
from deploy.release.state import TAG, VERSION, notes, steps_left

parser = argparse.ArgumentParser(prog="python -m deploy.release")
parser.add_argument("--folder", type=Path, default=Path("out/release"), help="where the files are written")
parser.add_argument("--final", action="store_true", help="refuse a commit that cannot be published as it is")
arguments = parser.parse_args()
if (steps := steps_left()) and arguments.final:
    sys.exit("\n  ".join([f"{TAG} cannot be published. What is left:", *steps]))
try:
    text = notes()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    build(arguments.folder.absolute() / "dist")
except subprocess.CalledProcessError as error:
    sys.exit(f"{' '.join(error.cmd[:5])} failed:\n{error.stdout}{error.stderr}")
(arguments.folder / "notes.md").write_text(text, "utf-8")
steps += [
    f"git push origin main {TAG}  # starts .github/workflows/release.yml",
    "approve the environment `release` in that run  # wheel and sdist go to the package index",
    f"docker build --target all-in-one --tag cutgate:{VERSION} .  # for machines without a registry",
    f"docker save cutgate:{VERSION} | gzip > {arguments.folder}/cutgate-{VERSION}-image.tar.gz  # for docker load",
]
sys.stdout.write("\n  ".join([f"{TAG} is built; nothing was published. What is left:", *steps]) + "\n")
