"""`python -m deploy.supply_chain` writes the SBOMs and audits the lock files; see SECURITY.md."""

import argparse
import sys
from pathlib import Path

from deploy.supply_chain.audit import faults
from deploy.supply_chain.materials import IMAGES, base_of, installed, of_image, of_target, of_weights, write

parser = argparse.ArgumentParser(prog="python -m deploy.supply_chain")
parser.add_argument("--folder", type=Path, default=Path("out/sbom"), help="where the SBOMs are written")
parser.add_argument("--image", metavar="NAME", help="only write the SBOM of this built image (needs Docker)")
parser.add_argument("--no-audit", action="store_true", help="only write SBOMs")
arguments = parser.parse_args()
if image := arguments.image:
    found = installed("docker", "run", "--rm", "--network=none", "--entrypoint=python", image)
    boms = {image.replace("/", "_").replace(":", "_"): of_image(image, base_of(image), found)}
else:
    boms = {target: of_target(target) for target in IMAGES} | {"weights": of_weights()}
for name, bom in boms.items():
    path = arguments.folder / f"{name}.cdx.json"
    write(bom, path)
    sys.stdout.write(f"{path}: {len(bom.components)} components\n")
if not (image or arguments.no_audit) and (problem := faults()):
    sys.exit(f"The audit failed: {problem}")
