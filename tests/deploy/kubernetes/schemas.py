"""The schemas of Kubernetes, and those of custom resources, which packages from npm have."""

import json
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate

from tests.clients.installed import node
from tests.deploy.kubernetes.installation import ROOT, Installation, Object

OLDEST = "1.30"
"""The first Kubernetes in which a pod may sleep before it stops."""
CUSTOM_RESOURCES = Path(__file__).parent / "custom_resources"
CUSTOM_KINDS = ("HTTPRoute", "ScaledObject", "PodMonitor", "PrometheusRule")


def validate(installation: Installation, version: str) -> None:
    """Raise if an object does not keep to its schema; of custom resources only KEDA's is looked at."""
    for thing in installation.objects:
        if thing["kind"] == "ScaledObject":
            schema = json.loads((ROOT / "tests/data/scaledobject.schema.json").read_text(encoding="utf-8"))
            jsonschema.Draft202012Validator(schema).validate(thing)
        elif thing["kind"] not in CUSTOM_KINDS:
            kubernetes_validate.validate(thing, version, strict=True)


def refusal(models: Path, objects: list[Object]) -> str:
    """What the schemas say against custom resources; empty if nothing."""
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
