"""Tests of each Kubernetes object: its schema, pod security, and what it names."""

import re
import tomllib

import kubernetes_validate
import pytest
import yaml

from tests.deploy.kubernetes.installation import (
    ELSEWHERE,
    NAMES,
    PARTS,
    ROOT,
    Installation,
    Object,
    composed_services,
    fields_of,
    identity,
    labels_of,
    selects,
)
from tests.deploy.kubernetes.schemas import OLDEST, validate

pytestmark = pytest.mark.needs("kubectl")

SECURE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def test_every_folder_is_built_here_and_on_the_page() -> None:
    deploy, page = ROOT / "deploy" / "kubernetes", (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    folders = {file.parent.relative_to(deploy) for file in deploy.rglob("kustomization.yaml")}
    assert {f"`{folder}`" for folder in folders} <= set(re.findall(r"`[^`\n]+`", page))
    assert {folder.name for folder in folders if folder.parts[0] == "overlays"} | {"elsewhere"} == set(NAMES)
    overlays = [file.read_text(encoding="utf-8") for file in deploy.glob("overlays/*/kustomization.yaml")]
    used = " ".join([*overlays, yaml.safe_dump(ELSEWHERE)]).split()
    assert {f"../../{folder}" for folder in folders if folder.parts[0] == "components"} <= set(used)


@pytest.mark.parametrize(
    "version", [OLDEST, pytest.param(kubernetes_validate.latest_version(), marks=pytest.mark.long)]
)
def test_objects_keep_to_their_schemas(installation: Installation, version: str) -> None:
    validate(installation, version)


def test_all_lies_in_one_namespace(installation: Installation) -> None:
    (namespace,) = installation.of_kind("Namespace")
    namespaces = {thing["metadata"].get("namespace") for thing in installation.objects if thing is not namespace}
    assert namespaces == {namespace["metadata"]["name"]}
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_pods_may_do_nothing_that_they_need_not(installation: Installation) -> None:
    for name in installation.workloads():
        spec = installation.pod(name)
        assert spec["automountServiceAccountToken"] is False, name
        # A Service called `cutgate` would set CUTGATE_PORT to an address.
        assert spec["enableServiceLinks"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in (*spec.get("initContainers", []), installation.container(name)):
            assert container["securityContext"] == SECURE, name


def test_pods_run_as_the_images_user(installation: Installation) -> None:
    (uid,) = re.findall(r"useradd --uid (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    for part in PARTS:
        context = installation.pod(part)["securityContext"]
        assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {int(uid)}


def test_images_are_those_of_the_dockerfile_at_this_version(installation: Installation) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    worker = "worker-gpu" if installation.name.endswith("-gpu") else "worker-cpu"
    for part, target in (("gateway", "gateway"), ("courier", "gateway"), ("worker", worker)):
        assert installation.container(part)["image"] == f"cutgate/{target}:{version}"
        assert re.search(rf"^FROM \S+ AS {target}$", dockerfile, re.MULTILINE)


def test_commands_are_those_of_the_compose_file(installation: Installation) -> None:
    services = composed_services()
    for part in PARTS:
        assert installation.container(part)["command"] == services[part]["command"]
    for part in ("courier", "worker"):
        check = installation.container(part)["startupProbe"]["exec"]["command"]
        assert check == services[part]["healthcheck"]["test"][1:]


@pytest.mark.parametrize("name", ["small", "production"])
def test_redis_is_the_compose_files_with_a_memory_limit(name: str, installations: dict[str, Installation]) -> None:
    composed, container = composed_services()["redis"], installations[name].container("redis")
    start = ["sh", "/etc/cutgate/redis/start.sh", "valkey-server"]
    assert container["command"][:3] == composed["command"][:3] == start
    here, there = (
        dict(zip(it["command"][3::2], it["command"][4::2], strict=True)) for it in (container, composed)
    )
    most_mb = float(here.pop("--maxmemory").removesuffix("mb"))
    there.pop("--maxmemory", None)
    assert here == there
    series, others = (re.match(r"[^:]+:\d+", it["image"]) for it in (container, composed))
    assert series is not None
    assert others is not None
    assert series[0] == others[0]
    assert most_mb <= 0.6 * 1024 * float(container["resources"]["limits"]["memory"].removesuffix("Gi"))


def test_a_worker_cannot_write_what_it_computes_with(installation: Installation) -> None:
    (before,) = installation.pod("worker")["initContainers"]
    container = installation.container("worker")
    assert before["image"] == container["image"]
    assert before["command"] == composed_services()["graphs"]["command"]
    assert before["envFrom"] == container["envFrom"]
    assert before.get("env") == container.get("env")
    cache = installation.environment("worker")["CUTGATE_CACHE_DIR"]
    written, read = (
        [mount for mount in one["volumeMounts"] if mount["mountPath"] == cache] for one in (before, container)
    )
    assert written == [{"name": "graphs", "mountPath": cache}]
    assert read == [{"name": "graphs", "mountPath": cache, "readOnly": True}]
    assert "secrets" not in [mount["name"] for mount in before["volumeMounts"]]


def test_selectors_find_pods(installation: Installation) -> None:
    workloads = installation.workloads()
    for name, workload in workloads.items():
        found = [other for other in workloads.values() if selects(workload["spec"]["selector"], labels_of(other))]
        assert found == [workload], name
    for thing in installation.of_kind("Service"):
        assert len(selected(installation, {"matchLabels": thing["spec"]["selector"]})) == 1, identity(thing)
    for thing in installation.of_kind("PodDisruptionBudget"):
        assert selected(installation, thing["spec"]["selector"]) == [thing["metadata"]["name"]]
    for workload in workloads.values():
        for spread in fields_of(workload, "topologySpreadConstraints"):
            assert selects(spread[0]["labelSelector"], labels_of(workload))
        for affinity in fields_of(workload, "podAffinity"):
            (rule,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
            assert selected(installation, rule["labelSelector"]) == ["redis"]


def selected(installation: Installation, selector: Object) -> list[str]:
    return [name for name, workload in installation.workloads().items() if selects(selector, labels_of(workload))]


def test_what_is_named_is_there(installation: Installation) -> None:
    claims = {thing["metadata"]["name"] for thing in installation.of_kind("PersistentVolumeClaim")}
    for name, workload in installation.workloads().items():
        spec, container = installation.pod(name), installation.container(name)
        templates = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | templates
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes, name
        assert set(fields_of(spec, "claimName")) <= claims
        assert set(fields_of(spec, "secretName")) == {f"{name}-secrets"}
        config_maps = {thing["metadata"]["name"] for thing in installation.of_kind("ConfigMap")}
        assert {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume} <= config_maps
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert set(fields_of(container.get(probe), "port")) <= ports, name
    for service in installation.of_kind("Service"):
        (part,) = selected(installation, {"matchLabels": service["spec"]["selector"]})
        ports = {port["name"] for port in installation.container(part)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_a_worker_with_a_gpu_asks_for_one(installations: dict[str, Installation]) -> None:
    installation = installations["production-gpu"]
    assert installation.container("worker")["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert installation.environment("worker")["CUTGATE_DEVICE"] == "gpu"
