"""Tests of the Helm chart: it has kustomize's objects, and its values change what they say."""

import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from deploy.helm import chart, objects
from tests.deploy.kubernetes.helm import asked, rendered
from tests.deploy.kubernetes.installation import (
    PARTS,
    ROOT,
    Installation,
    Object,
    fields_of,
    identity,
    labels_of,
    selects,
)
from tests.deploy.kubernetes.schemas import CUSTOM_KINDS, OLDEST, refusal, validate

pytestmark = [pytest.mark.long, pytest.mark.needs("kubectl"), pytest.mark.needs("helm")]

ELSEWHERE = {
    "redis": {"enabled": False},
    "ingress": {"enabled": False},
    "gatewayApi": {"enabled": True},
    "monitoring": {"operator": True},
    "worker": {"minReplicas": 0},
}
"""Values for what the overlay `elsewhere` has."""
VARIANTS: dict[str, Object] = {
    "nothing but requests from inside": {"ingress": {"enabled": False}},
    "elsewhere": ELSEWHERE,
    "a fixed size": {"autoscaling": {"enabled": False}, "gateway": {"replicas": 3}, "worker": {"replicas": 5}},
    "settings": {
        "settings": {"CUTGATE_PUBLIC_URL": "https://a.example.org", "CUTGATE_MAX_BODY_BYTES": "20000000"}
    },
    "every list": {
        "imagePullSecrets": [{"name": "registry"}],
        "worker": {"nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}]},
    },
}


def by_identity(things: list[Object]) -> dict[tuple[str, str], Object]:
    """Objects without checksums of settings, and without what the chart leaves to its user."""
    found = {identity(thing): deepcopy(thing) for thing in things if thing["kind"] not in ("Secret", "Namespace")}
    for thing in found.values():
        metadata = thing.get("spec", {}).get("template", {}).get("metadata", {})
        kept = {name: text for name, text in metadata.pop("annotations", {}).items() if "checksum/" not in name}
        metadata |= {"annotations": kept} if kept else {}
    return found


def checksums(installation: Installation) -> dict[str, list[str]]:
    """By workload the checksums that its pods have."""
    annotations = {
        name: thing["spec"]["template"]["metadata"]["annotations"]
        for name, thing in installation.workloads().items()
    }
    return {
        name: [text for key, text in those.items() if key.startswith("checksum/")]
        for name, those in annotations.items()
    }


def test_the_committed_chart_is_what_the_manifests_make() -> None:
    made = chart.files()
    lying = {str(path.relative_to(chart.CHART)) for path in chart.CHART.rglob("*.yaml")} - {"values-gpu.yaml"}
    assert lying | {"values.schema.json"} == set(made)
    stale = [name for name, text in made.items() if (chart.CHART / name).read_text(encoding="utf-8") != text]
    assert not stale, "run python -m deploy.helm"


def test_defaults_are_the_production_overlay(installations: dict[str, Installation]) -> None:
    assert by_identity(rendered().objects) == by_identity(installations["production"].objects)


def test_values_for_gpus_are_the_overlay_with_gpus(installations: dict[str, Installation]) -> None:
    made = rendered({}, "--values", chart.CHART / "values-gpu.yaml")
    assert by_identity(made.objects) == by_identity(installations["production-gpu"].objects)


def test_optional_parts_are_the_components(installations: dict[str, Installation]) -> None:
    made, kustomized = (by_identity(it.objects) for it in (rendered(ELSEWHERE), installations["elsewhere"]))
    assert made.keys() == kustomized.keys()
    # The overlay leaves the number of couriers and some of production's settings open.
    courier, settings = ("Deployment", "courier"), ("ConfigMap", "cutgate-settings")
    del made[courier]["spec"]["replicas"]
    assert made[settings]["data"].items() >= kustomized.pop(settings)["data"].items()
    del made[settings]
    assert made == kustomized


def test_helm_finds_no_fault() -> None:
    done = asked("lint", "--strict", chart.CHART)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[ERROR]" not in done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_variants_keep_to_their_schemas(values: Object, models: Path) -> None:
    made = rendered(values)
    validate(made, OLDEST)
    assert refusal(models, made.of_kind(*CUSTOM_KINDS)) == ""


def test_a_fixed_size_needs_no_autoscaler() -> None:
    made = rendered(VARIANTS["a fixed size"])
    assert not made.of_kind("HorizontalPodAutoscaler", "ScaledObject")
    assert [made.workloads()[part]["spec"]["replicas"] for part in PARTS] == [3, 2, 5]


def test_settings_reach_what_depends_on_them() -> None:
    own = {"CUTGATE_PUBLIC_URL": "https://a.example.org:8443/", "CUTGATE_MODEL": "tiny", "CUTGATE_S3_BUCKET": "b"}
    made, before = rendered({"settings": own, "gatewayApi": {"enabled": True}}), rendered()
    assert made.environment("worker") == before.environment("worker") | own
    assert "CUTGATE_SCALE_TO_ZERO" not in made.environment("gateway")
    (ingress,), (route,) = made.of_kind("Ingress"), made.of_kind("HTTPRoute")
    assert {*fields_of(ingress, "host"), *ingress["spec"]["tls"][0]["hosts"]} == {"a.example.org"}
    assert route["spec"]["hostnames"] == ["a.example.org"]
    lanes = {it.partition("{")[2] for it in fields_of(made.one("ScaledObject", "worker"), "valueLocation")}
    assert lanes == {'lane="tiny:exact"}'}
    here, there = checksums(made), checksums(before)
    assert {name for name in here if here[name] != there[name]} == set(PARTS)


def test_images() -> None:
    digest = f"sha256:{'0' * 64}"
    images = {
        "gateway": {"image": {"repository": "registry.example.com/gateway", "tag": "2"}},
        "worker": {"image": {"digest": digest}},
    }
    made = rendered(images)
    assert (
        made.container("gateway")["image"]
        == made.container("courier")["image"]
        == "registry.example.com/gateway:2"
    )
    assert set(fields_of(made.pod("worker"), "image")) == {f"cutgate/worker-cpu@{digest}"}


def test_another_namespace_is_used_everywhere() -> None:
    made = rendered(namespace="pictures")
    assert {thing["metadata"]["namespace"] for thing in made.objects} == {"pictures"}
    urls = set(fields_of(made.one("ScaledObject", "worker"), "url"))
    assert urls == {"http://gateway-metrics.pictures.svc:9101/metrics"}


def test_secrets_have_the_names_that_the_values_say() -> None:
    parts = (*PARTS, "redis")
    made = rendered({part: {"secret": f"{part}-of-mine"} for part in parts})
    assert {part: set(fields_of(made.pod(part), "secretName")) for part in parts} == {
        part: {f"{part}-of-mine"} for part in parts
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"worker": {"replica": 3}}, "additional properties 'replica' not allowed"),
        ({"settings": {"CUTGATE_MAX_BODY_BYTES": 20_000_000}}, "/settings/CUTGATE_MAX_BODY_BYTES"),
        # A policy without peers would allow all of them.
        ({"bucket": {"to": []}}, "minItems"),
        ({"worker": {"image": {"tag": 0.1}}}, "got number, want string"),
        ({"settings": {"CUTGATE_PUBLIC_URL": ""}}, "set settings.CUTGATE_PUBLIC_URL"),
        ({"settings": {"CUTGATE_PUBLIC_URL": "cutgate"}}, "must be like https://"),
    ],
)
def test_wrong_values_are_refused(values: Object, said: str) -> None:
    done = asked("template", chart.CHART, values=values)
    assert done.returncode != 0
    assert said in done.stderr


def test_alerts_of_the_operator_are_those_of_prometheus(installations: dict[str, Installation]) -> None:
    assert objects.ALERTS.read_text(encoding="utf-8") == objects.alerts(), "run python -m deploy.helm"
    alerts = (ROOT / "deploy" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    for made in (installations["elsewhere"], rendered(ELSEWHERE)):
        (rule,) = made.of_kind("PrometheusRule")
        assert rule["spec"] == yaml.safe_load(alerts)


def test_pods_are_watched_by_the_jobs_that_alerts_name(installations: dict[str, Installation]) -> None:
    installation = installations["elsewhere"]
    (monitor,) = installation.of_kind("PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (relabeling,) = endpoint["relabelings"]
    watched = set()
    for name, workload in installation.workloads().items():
        labels = {re.sub(r"\W", "_", key): value for key, value in labels_of(workload).items()}
        source = relabeling["sourceLabels"][0].removeprefix("__meta_kubernetes_pod_label_")
        if selects(monitor["spec"]["selector"], labels_of(workload)):
            watched.add(relabeling["replacement"].replace("$1", labels[source]))
            assert installation.port(name, endpoint["port"])
    prometheus = yaml.safe_load((ROOT / "deploy" / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))
    assert watched == {job["job_name"] for job in prometheus["scrape_configs"]} - {"prometheus"}
