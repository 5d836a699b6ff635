"""The Kubernetes objects that the chart is made of, as kustomize and the components have them."""

from __future__ import annotations

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
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "cutgate", "labels": {"app.kubernetes.io/name": "cutgate"}},
        "spec": {"groups": groups},
    }
    head = "# Made of deploy/monitoring/alerts.yml by `python -m deploy.helm`.\n"
    return head + yaml.safe_dump(rule, sort_keys=False, width=115)


def objects() -> dict[str, Object]:
    """Objects by `Kind name`, those of optional components by `component:Kind name`.

    Raises:
        subprocess.CalledProcessError: kubectl refused to build the overlay; its output says why.
    """
    found = {_name(it): it for it in _production() if it["kind"] != "Namespace"}
    for component in OPTIONAL:
        for path in sorted((DEPLOY / "kubernetes" / "components" / component).glob("*.yaml")):
            for thing in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                if "metadata" in thing:  # kustomization.yaml has none
                    found[f"{component}:{_name(thing)}"] = thing
    return found


def _name(thing: Object) -> str:
    return f"{thing['kind']} {thing['metadata']['name']}"


def _production() -> list[Object]:
    """The overlay without Secrets, which nobody has here, and without hashes in names."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("kubernetes", "redis"):
            shutil.copytree(DEPLOY / name, Path(folder, name), ignore=shutil.ignore_patterns("secrets"))
        overlay = Path(folder, "kubernetes", "overlays", "production")
        for path in (overlay / "kustomization.yaml", Path(folder, "redis", "kustomization.yaml")):
            kustomization = yaml.safe_load(path.read_text(encoding="utf-8"))
            kustomization.pop("secretGenerator", None)
            kustomization["generatorOptions"] = {"disableNameSuffixHash": True}
            path.write_text(yaml.safe_dump(kustomization), encoding="utf-8")
        done = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))
