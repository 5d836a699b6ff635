"""`python -m deploy.release` builds what a release publishes; CONTRIBUTING.md has all of its steps."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.release.files import SUMS, build, write_sboms, write_sums
from deploy.release.state import TAG, VERSION, draft, missing, section

PUBLISH = f"""  git push origin main {TAG}   # starts .github/workflows/release.yml
  approve the environment `release`: wheel and sdist go to the package index, then the notes appear
Without a registry, hand on the files of {{folder}} and an image's (docs/images.md):
  docker build --target all-in-one --tag cutgate:{VERSION} .
  docker save cutgate:{VERSION} | gzip > {{folder}}/cutgate-{VERSION}-image.tar.gz
"""

parser = argparse.ArgumentParser(prog="python -m deploy.release")
parser.add_argument("--folder", type=Path, default=Path("out/release"), help="where the files are written")
parser.add_argument("--final", action="store_true", help="refuse a commit that cannot be published as it is")
arguments = parser.parse_args()
folder: Path = arguments.folder.absolute()
if (left := missing()) and arguments.final:
    sys.exit(f"{TAG} cannot be published:\n" + "\n".join(f"  {fault}: {remedy}" for fault, remedy in left.items()))
try:
    notes = section() or draft()
    shutil.rmtree(folder, ignore_errors=True)
    build(folder / "dist")
except subprocess.CalledProcessError as error:
    sys.exit(f"{' '.join(error.cmd[:6])} failed:\n{error.stdout}{error.stderr}")
write_sboms(folder / "sbom")
(folder / "notes.md").write_text(notes, "utf-8")
write_sums(folder)
sys.stdout.write((folder / SUMS).read_text("utf-8"))
sys.stdout.write(f"\n{TAG} is built; nothing was published. What is left:\n")
for fault, remedy in left.items():
    sys.stdout.write(f"  {remedy}   # {fault}\n")
sys.stdout.write(PUBLISH.format(folder=arguments.folder))
