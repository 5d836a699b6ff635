"""Tests of custom resources against the schemas of KEDA and of the Gateway API."""

import json
import subprocess
from copy import deepcopy
from pathlib import Path

import pytest

from tests.clients.installed import installed, node, npm_install, npm_pins
from tests.deploy.kubernetes.installation import Installation, Object

pytestmark = [pytest.mark.long, pytest.mark.needs("kubectl")]

HERE = Path(__file__).parent / "custom_resources"
KINDS = ("HTTPRoute", "ScaledObject")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program that validates, and the packages with the schemas."""
    pins = npm_pins(HERE)
    folder = installed("custom-resources-1", pins, lambda folder: npm_install(pins, folder))
    place = tmp_path_factory.mktemp("models")
    (place / "node_modules").symlink_to(folder / "node_modules")
    (place / "validate.mjs").write_bytes((HERE / "validate.mjs").read_bytes())
    return place


def refusal(models: Path, objects: list[Object]) -> str:
    """What the schemas say against objects; empty if nothing."""
    done = subprocess.run(
        [node(), "validate.mjs"],
        cwd=models,
        input=json.dumps(objects),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is not ("must" in done.stderr), done.stderr
    return done.stderr


def test_custom_resources_keep_to_their_schemas(installation: Installation, models: Path) -> None:
    assert refusal(models, installation.of_kind(*KINDS)) == ""


def test_a_fault_is_found(installations: dict[str, Installation], models: Path) -> None:
    route, scaler = (deepcopy(installations["elsewhere"].of_kind(kind)[0]) for kind in KINDS)
    route["spec"]["rules"][0]["timeouts"]["request"] = "soon"
    assert "data/spec/rules/0/timeouts/request must match" in refusal(models, [route])
    scaler["spec"]["minReplicaCount"] = "none"
    assert "data/spec/minReplicaCount must be" in refusal(models, [scaler])
