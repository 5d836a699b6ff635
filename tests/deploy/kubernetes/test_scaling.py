"""Tests of autoscaling: its metrics exist, read as KEDA reads them."""

import math
from urllib.parse import urlsplit

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cutgate.gateway.observe.metrics import LedgerCollector
from cutgate.jobs.observe.metric_names import METRICS, Kind, Part
from cutgate.jobs.spec import CutoutSpec, ModelChoice, Precision, lane_of
from tests.deploy.kubernetes.installation import Installation, Object
from tests.gateway.harness import make_harness
from tests.servers.scrapes import here, scrape
from tests.servers.stack import LiveStack

pytestmark = [pytest.mark.long, pytest.mark.needs("kubectl")]


@pytest.fixture(params=["production", "production-gpu"])
def scaled(request: pytest.FixtureRequest, installations: dict[str, Installation]) -> Installation:
    """An overlay with as many pods as there is work."""
    return installations[request.param]


def scaler(installation: Installation) -> Object:
    spec: Object = installation.one("ScaledObject", "worker")["spec"]
    return spec


def selector(location: str) -> tuple[str, dict[str, str]]:
    """A metric's name and the labels that it must have; KEDA takes every comparison for equality."""
    parsed = promql_parser.parse(location)
    assert isinstance(parsed, promql_parser.VectorSelector)
    matchers = parsed.matchers.matchers
    assert all(matcher.op == promql_parser.MatchOp.Equal for matcher in matchers)
    assert parsed.name is not None
    return parsed.name, {matcher.name: matcher.value for matcher in matchers}


def value_found(page: str, location: str) -> float:
    """The value that KEDA's scaler `metrics-api` takes from a page in Prometheus's format: the first that fits."""
    name, labels = selector(location)
    (family,) = (family for family in text_string_to_metric_families(page) if family.name == name)
    return next(sample.value for sample in family.samples if labels.items() <= sample.labels.items())


def test_a_deployment_has_one_master(installation: Installation) -> None:
    for name, workload in installation.workloads().items():
        scalers = installation.scaled_by(name)
        assert len(scalers) <= 1, name
        # Set in both places, each apply would put the number back.
        assert not (scalers and "replicas" in workload["spec"]), name
    for thing in installation.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        target = thing["spec"]["scaleTargetRef"]
        assert installation.one(target["kind"], target["name"])["apiVersion"] == target["apiVersion"]


def test_the_metrics_exist_and_every_gateway_shows_the_same(scaled: Installation, stack: LiveStack) -> None:
    page = scrape(int(stack.settings["CUTGATE_METRICS_PORT"])).text
    for trigger in scaler(scaled)["triggers"]:
        assert value_found(page, trigger["metadata"]["valueLocation"]) >= 0
        assert trigger["type"] == "metrics-api"
        assert trigger["metadata"]["format"] == "prometheus"
        name, labels = selector(trigger["metadata"]["valueLocation"])
        (metric,) = (metric for metric in METRICS if metric.name == name)
        assert (metric.kind, metric.parts) == (Kind.GAUGE, (Part.LEDGER,))
        assert labels.keys() == metric.labels.keys()


def test_the_lane_is_the_one_that_workers_serve(scaled: Installation) -> None:
    environment = scaled.environment("worker")
    spec = CutoutSpec(model=environment["CUTGATE_MODEL"], precision=Precision(environment["CUTGATE_PRECISION"]))
    lanes = [selector(trigger["metadata"]["valueLocation"])[1] for trigger in scaler(scaled)["triggers"]]
    assert lanes == [{"lane": lane_of(spec)}] * 2


def workers_wanted(installation: Installation, page: str, lane: str) -> int:
    """How many workers KEDA asks for where an installation's workers serve a lane."""
    spec, own = scaler(installation), installation.environment("worker")
    default = lane_of(CutoutSpec(model=own["CUTGATE_MODEL"], precision=Precision(own["CUTGATE_PRECISION"])))
    found = {
        trigger["name"]: value_found(page, trigger["metadata"]["valueLocation"].replace(default, lane))
        for trigger in spec["triggers"]
    }
    modifiers = spec["advanced"]["scalingModifiers"]
    names = modifiers["formula"].split(" + ")
    assert sorted(names) == sorted(found)
    total = sum(found.values())
    if spec["minReplicaCount"] == 0 and total <= float(modifiers["activationTarget"]):
        return 0
    most, least = spec["maxReplicaCount"], max(spec["minReplicaCount"], 1)
    return int(min(most, max(least, math.ceil(total / float(modifiers["target"])))))


@pytest.mark.parametrize(("name", "idle"), [("production", 1), ("elsewhere", 0)])
def test_a_busy_lane_starts_no_workers_of_another(
    name: str, idle: int, installations: dict[str, Installation]
) -> None:
    installation, gateway = installations[name], make_harness().with_pair()
    busy, other = gateway.lane, ModelChoice.parse("birefnet-general")
    gateway.offer()
    gateway.offer(other, owner="w-2")
    collector = LedgerCollector(store=gateway.store, presence=gateway.presence, lanes=gateway.offers.lanes)

    def wanted() -> tuple[int, int]:
        page = here(collector).text
        return workers_wanted(installation, page, busy), workers_wanted(installation, page, other.lane)

    series = [wanted()]
    for number in range(1, 81):
        gateway.submit()
        assert wanted()[0] == max(1, math.ceil(number / 4))
        gateway.claim()
        series.append(wanted())
    assert series == [(max(idle, math.ceil(number / 4)), idle) for number in range(81)]
    assert wanted() == (20, idle)


def test_the_address_is_that_of_the_gateways_metrics(scaled: Installation) -> None:
    for trigger in scaler(scaled)["triggers"]:
        url = urlsplit(trigger["metadata"]["url"])
        assert url.hostname is not None
        name, namespace, kind = url.hostname.split(".")
        service = scaled.one("Service", name)
        assert (kind, namespace) == ("svc", service["metadata"]["namespace"])
        assert [port["port"] for port in service["spec"]["ports"]] == [url.port]
        assert scaled.port("gateway", "metrics") == url.port
