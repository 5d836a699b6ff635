"""A kustomization as kubectl builds it, and questions about it."""

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.compose_model import project

Object = dict[str, Any]

ROOT = Path(__file__).parents[3]
HASH = re.compile(r"\b(cutgate-settings|redis-users|(?:gateway|courier|worker|redis)-secrets)-[a-z0-9]{10}\b")
"""The name of an object that is generated, and the hash of its contents."""
NAMES = ("small", "production", "production-gpu", "elsewhere")
PARTS = ("gateway", "courier", "worker")
BUCKET = ("cutgate_s3_access_key", "cutgate_s3_secret_key")
SECRETS = {
    "cutgate_master_key": base64.b64encode(bytes(32)).decode(),
    **dict(zip(BUCKET, ("access", "secret"), strict=True)),
    "cutgate_redis_url": "rediss://:password@redis.example.com:6379/0",
    **{f"redis_url_{user}": f"redis://{user}:{user * 8}@redis:6379/0" for user in (*PARTS, "operator")},
}
ELSEWHERE = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "namespace": "cutgate",
    "resources": ["../../base"],
    "components": [
        f"../../components/{name}"
        for name in (
            "managed-redis",
            "s3",
            "autoscaling",
            "autoscaling-to-zero",
            "gateway-api",
            "prometheus-operator",
        )
    ],
    "configMapGenerator": [
        {"name": "cutgate-settings", "behavior": "merge", "literals": ["CUTGATE_S3_BUCKET=cutgate-pictures"]}
    ],
    "secretGenerator": [
        {"name": f"{part}-secrets", "files": [f"secrets/{name}" for name in names]}
        for part, names in (
            ("gateway", ("cutgate_master_key", "cutgate_redis_url", *BUCKET)),
            ("courier", ("cutgate_master_key", "cutgate_redis_url", *BUCKET)),
            ("worker", ("cutgate_redis_url", *BUCKET)),
        )
    ],
    "patches": [{"path": "bucket.yaml", "target": {"kind": "NetworkPolicy", "name": "cutgate-to-s3"}}],
}
"""An overlay that an operator may write: nothing that keeps data is in the cluster."""


def identity(thing: Object) -> tuple[str, str]:
    return thing["kind"], thing["metadata"]["name"]


def pod_spec(thing: Object) -> Object | None:
    spec: Object | None = thing.get("spec", {}).get("template", {}).get("spec")
    return spec


@dataclass(frozen=True)
class Installation:
    name: str
    objects: list[Object]

    def of_kind(self, *kinds: str) -> list[Object]:
        return [thing for thing in self.objects if thing["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        (found,) = (thing for thing in self.objects if identity(thing) == (kind, name))
        return found

    def workloads(self) -> dict[str, Object]:
        """What makes pods, by name."""
        return {thing["metadata"]["name"]: thing for thing in self.objects if pod_spec(thing)}

    def pod(self, part: str) -> Object:
        """The specification of a workload's pods."""
        spec = pod_spec(self.workloads()[part])
        assert spec is not None
        return spec

    def container(self, part: str) -> Object:
        (container,) = self.pod(part)["containers"]
        return dict(container)

    def secrets(self, part: str) -> dict[str, str]:
        """The files that a part's process finds among its secrets."""
        (name,) = set(fields_of(self.pod(part), "secretName"))
        data = self.one("Secret", name)["data"]
        return {name: base64.b64decode(text).decode().strip() for name, text in data.items()}

    def environment(self, part: str) -> dict[str, str]:
        """What a container's process finds in its environment."""
        container = self.container(part)
        (source,) = container["envFrom"]
        settings: dict[str, str] = self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        return settings | {row["name"]: row["value"] for row in container.get("env", [])}

    def port(self, part: str, name: str) -> int:
        (port,) = (row["containerPort"] for row in self.container(part)["ports"] if row["name"] == name)
        return int(port)

    def scaled_by(self, part: str) -> list[Object]:
        """What sets the number of a deployment's pods."""
        scalers = self.of_kind("HorizontalPodAutoscaler", "ScaledObject")
        return [scaler for scaler in scalers if scaler["spec"]["scaleTargetRef"]["name"] == part]


def labels_of(workload: Object) -> dict[str, str]:
    labels: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def fields_of(thing: object, name: str) -> Iterator[Any]:
    """The values of every field of a name, at any depth."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            if key == name:
                yield value
            yield from fields_of(value, name)
    elif isinstance(thing, list):
        for value in thing:
            yield from fields_of(value, name)


def composed_services() -> dict[str, Object]:
    services: dict[str, Object] = project()["services"]
    return services


def copy_with_secrets(folder: Path) -> Path:
    """deploy/kubernetes with the files that are never committed, and one more overlay."""
    copied = folder / "kubernetes"
    shutil.copytree(ROOT / "deploy" / "kubernetes", copied, ignore=shutil.ignore_patterns("secrets"))
    (copied / "overlays" / "elsewhere").mkdir()
    elsewhere = copied / "overlays" / "elsewhere" / "kustomization.yaml"
    elsewhere.write_text(yaml.safe_dump(ELSEWHERE), encoding="utf-8")
    shutil.copy(copied / "overlays" / "production" / "bucket.yaml", elsewhere.parent)
    shutil.copytree(ROOT / "deploy" / "redis", folder / "redis")
    for overlay in (copied / "overlays").iterdir():
        (overlay / "secrets").mkdir()
        for name, text in SECRETS.items():
            (overlay / "secrets" / name).write_text(f"{text}\n", encoding="ascii")
    return copied


def built(copied: Path, name: str) -> Installation:
    """An overlay, the names of its generated objects without their hashes."""
    command = ["kubectl", "kustomize", str(copied / "overlays" / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, hashes = HASH.subn(r"\1", done.stdout)
    assert hashes > 3
    return Installation(name, list(yaml.safe_load_all(text)))
