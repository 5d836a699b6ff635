"""The Kubernetes objects that the chart is made of, as kustomize and the components have them."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

Object = dict[str, Any]

DEPLOY: Final = Path(__file__).parents[1]
ALERTS: Final = DEPLOY / "kubernetes" / "components" / "prometheus-operator" / "alerts.yaml"
OPTIONAL: Final = ("gateway-api", "managed-redis", "prometheus-operator")
"""Components outside `overlays/production` that the chart can switch on."""


def alerts() -> str:
    """`deploy/monitoring/alerts.yml` as a PrometheusRule, in YAML."""
    groups = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    metadata = {"name": "cutgate", "labels": {"app.kubernetes.io/name": "cutgate"}}
    rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": metadata}
    text = yaml.safe_dump(rule | {"spec": {"groups": groups}}, sort_keys=False, width=115)
    return f"# Made of deploy/monitoring/alerts.yml by `python -m deploy.helm`.\n{text}"


def objects() -> dict[str, Object]:
    """Objects by `Kind name`, those of optional components by `component:Kind name`."""
    found = [("", thing) for thing in _production() if thing["kind"] != "Namespace"]
    for component in OPTIONAL:
        for path in sorted((DEPLOY / "kubernetes" / "components" / component).glob("*.yaml")):
            things = yaml.safe_load_all(path.read_text(encoding="utf-8"))
            found += [(f"{component}:", thing) for thing in things if "metadata" in thing]
    return {f"{component}{thing['kind']} {thing['metadata']['name']}": thing for component, thing in found}


def _production() -> list[Object]:
    """The overlay without Secrets, which nobody has here, and without hashes in names."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("kubernetes", "redis"):
            shutil.copytree(DEPLOY / name, Path(folder, name), ignore=shutil.ignore_patterns("secrets"))
        overlay = Path(folder, "kubernetes", "overlays", "production")
        for path in (overlay / "kustomization.yaml", Path(folder, "redis", "kustomization.yaml")):
            kustomization = yaml.safe_load(path.read_text(encoding="utf-8"))
            kustomization |= {"secretGenerator": [], "generatorOptions": {"disableNameSuffixHash": True}}
            path.write_text(yaml.safe_dump(kustomization), encoding="utf-8")
        done = subprocess.run(["kubectl", "kustomize", overlay], stdout=subprocess.PIPE, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))
