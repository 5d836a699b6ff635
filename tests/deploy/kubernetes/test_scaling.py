"""Tests of autoscaling: its metrics exist, read as KEDA reads them."""

from urllib.parse import urlsplit

import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cutgate.jobs.observe.metric_names import METRICS, Kind, Part
from cutgate.jobs.spec import CutoutSpec, Precision, lane_of
from tests.deploy.kubernetes.installation import Installation, Object
from tests.servers.scrapes import scrape
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
    assert lanes == [{"lane": lane_of(spec)}, {}]


def test_the_address_is_that_of_the_gateways_metrics(scaled: Installation) -> None:
    for trigger in scaler(scaled)["triggers"]:
        url = urlsplit(trigger["metadata"]["url"])
        assert url.hostname is not None
        name, namespace, kind = url.hostname.split(".")
        service = scaled.one("Service", name)
        assert (kind, namespace) == ("svc", service["metadata"]["namespace"])
        assert [port["port"] for port in service["spec"]["ports"]] == [url.port]
        assert scaled.port("gateway", "metrics") == url.port
