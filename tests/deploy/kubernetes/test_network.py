"""Tests of the network policies: which pods may connect to which, and to which addresses."""

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import product

import pytest
import yaml

from cutgate.courier.addresses import why_not_public
from cutgate.courier.settings import CourierSettings
from tests.deploy.kubernetes.installation import PARTS, ROOT, Installation, Object, fields_of, labels_of, selects

pytestmark = pytest.mark.needs("kubectl")

PRIVATE = (
    *("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "168.63.129.16"),
    *("fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1", "64:ff9b:1::1"),
)
PUBLIC = ("1.1.1.1", "2606:4700::1111")
REDIS_PORTS = {6_379, 26_379}


def rules(installation: Installation, part: str, direction: str) -> Iterator[Object]:
    """The rules of one direction that hold for a part's pods."""
    labels = labels_of(installation.workloads()[part])
    for policy in installation.of_kind("NetworkPolicy"):
        if selects(policy["spec"]["podSelector"], labels):
            yield from policy["spec"].get(direction.lower(), [])


def holds_port(rule: Object, part: str, port: int, installation: Installation) -> bool:
    ports = [row["port"] for row in rule["ports"] if row["protocol"] == "TCP"]
    return port in [installation.port(part, row) if isinstance(row, str) else row for row in ports]


def may_call(installation: Installation, part: str, address: str, port: int) -> bool:
    """Whether a part's pods may connect to an address outside of the cluster."""
    asked = ip_address(address)
    return any(
        asked in ip_network(peer["ipBlock"]["cidr"])
        and not any(asked in ip_network(block) for block in peer["ipBlock"].get("except", []))
        for rule in rules(installation, part, "Egress")
        if holds_port(rule, part, port, installation)
        for peer in rule["to"]
        if "ipBlock" in peer
    )


def may_reach(installation: Installation, source: str, target: str, port: int) -> bool:
    """Whether a part's pods may connect to another's: both sides must allow it."""
    labels = {name: labels_of(workload) for name, workload in installation.workloads().items()}

    def allowed(part: str, direction: str, side: str, other: str) -> bool:
        return any(
            holds_port(rule, target, port, installation)
            and any(
                peer.keys() == {"podSelector"} and selects(peer["podSelector"], labels[other])
                for peer in rule[side]
            )
            for rule in rules(installation, part, direction)
        )

    return allowed(source, "Egress", "to", target) and allowed(target, "Ingress", "from", source)


def namespaces_that_reach(installation: Installation, part: str, port: int) -> set[str]:
    """The other namespaces from which a part's port can be reached."""
    return {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in rules(installation, part, "Ingress")
        if holds_port(rule, part, port, installation)
        for peer in rule["from"]
        if "namespaceSelector" in peer
    }


def test_what_no_policy_names_is_refused(installation: Installation) -> None:
    refusal = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert refusal in [policy["spec"] for policy in installation.of_kind("NetworkPolicy")]


def test_redis_is_reached_by_all_parts_and_reaches_nobody(installation: Installation) -> None:
    if "redis" not in installation.workloads():
        assert all(may_call(installation, part, "10.1.2.3", 6379) for part in PARTS)
        return
    for part in PARTS:
        assert may_reach(installation, part, "redis", 6379)
        assert not may_reach(installation, "redis", part, installation.port(part, "metrics"))
    assert not any(may_call(installation, "redis", address, 443) for address in PUBLIC)
    assert not namespaces_that_reach(installation, "redis", 6379)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_courier_alone_calls_the_internet_at_its_ports(installation: Installation, address: str) -> None:
    ports = CourierSettings.model_fields["courier_ports"].default
    assert all(may_call(installation, "courier", address, port) for port in ports)
    assert not may_call(installation, "courier", address, 22)
    for part in ("gateway", "worker"):
        assert not [port for port in ports if may_call(installation, part, address, port)]


def test_a_workers_way_out_is_the_bucket_that_the_overlay_names(installation: Installation) -> None:
    uses_s3 = installation.environment("worker").get("CUTGATE_BLOB_STORE") == "s3"
    named = [
        ip_network(peer["ipBlock"]["cidr"])
        for rule in rules(installation, "worker", "Egress")
        for peer in rule["to"]
        if "ipBlock" in peer and {row["port"] for row in rule["ports"]} != REDIS_PORTS
    ]
    assert named == ([ip_network("203.0.113.0/24")] if uses_s3 else [])
    for part in ("gateway", "worker"):
        assert may_call(installation, part, "203.0.113.9", 443) == uses_s3
        assert not may_call(installation, part, "203.0.113.9", 80)


def test_without_an_overlay_that_names_it_the_bucket_is_nowhere() -> None:
    (policy,) = yaml.safe_load_all((ROOT / "deploy/kubernetes/components/s3/network.yaml").read_text("utf-8"))
    (block,) = fields_of(policy, "cidr")
    assert ip_network(block).num_addresses == 1
    assert IPv4Network(block).subnet_of(IPv4Network("192.0.2.0/24")), "an address for examples"


def test_nobody_calls_a_private_address(installation: Installation) -> None:
    for address, part in product(PRIVATE, PARTS):
        assert why_not_public(ip_address(address)) is not None
        for port in CourierSettings.model_fields["courier_ports"].default:
            assert not may_call(installation, part, address, port), (address, part)


def test_requests_come_by_the_ingress_alone_and_metrics_go_to_who_watches(installation: Installation) -> None:
    is_scaled = installation.of_kind("ScaledObject")
    doors = {"Ingress": "nginx-ingress", "HTTPRoute": "gateway-system"}
    found = {doors[thing["kind"]] for thing in installation.of_kind(*doors)}
    assert namespaces_that_reach(installation, "gateway", 8080) == found
    for part in PARTS:
        scalers = {"keda"} if is_scaled and part == "gateway" else set()
        assert (
            namespaces_that_reach(installation, part, installation.port(part, "metrics"))
            == {"monitoring"} | scalers
        )
