"""Tests of our reading of kustomizations against kubectl's."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from tests.deploy.kubernetes.installation import ELSEWHERE, NAMES, ROOT, Installation
from tests.deploy.kubernetes.kustomize import Object, identity

HASH = re.compile(r"\b(cutgate-settings|redis-users|(?:gateway|courier|worker|redis)-secrets)-[a-z0-9]{10}\b")


def by_name(objects: Iterable[Object]) -> dict[tuple[str, str], Object]:
    found = {identity(thing): thing for thing in objects}
    for (kind, _), thing in found.items():
        if kind == "Secret":  # of which the real one breaks long lines
            thing["data"] = {name: re.sub(r"\s", "", text) for name, text in thing["data"].items()}
    return found


@pytest.mark.needs("kubectl")
@pytest.mark.parametrize("name", NAMES)
def test_the_real_one_builds_the_same(
    name: str, kustomizations: Path, installations: dict[str, Installation]
) -> None:
    command = ["kubectl", "kustomize", str(kustomizations / "overlays" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    has_redis = "redis" in installations[name].workloads()
    assert len(set(HASH.findall(done.stdout))) == (6 if has_redis else 4)
    assert by_name(yaml.safe_load_all(HASH.sub(r"\1", done.stdout))) == by_name(installations[name].objects)


def test_every_folder_is_built_here_and_on_the_page() -> None:
    deploy, page = ROOT / "deploy" / "kubernetes", (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    folders = {file.parent.relative_to(deploy) for file in deploy.rglob("kustomization.yaml")}
    assert {f"`{folder}`" for folder in folders} <= set(re.findall(r"`[^`\n]+`", page))
    assert {folder.name for folder in folders if folder.parts[0] == "overlays"} | {"elsewhere"} == set(NAMES)
    overlays = [file.read_text(encoding="utf-8") for file in deploy.glob("overlays/*/kustomization.yaml")]
    used = " ".join([*overlays, yaml.safe_dump(ELSEWHERE)]).split()
    assert {f"../../{folder}" for folder in folders if folder.parts[0] == "components"} <= set(used)
