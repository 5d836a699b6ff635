"""Stand-ins, under their names, for published images that cannot be fetched: the same programs on Debian's system.

The programs are those that the tests run anyway, from Python packages of the same versions.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.deploy.compose_model import project
from tests.deploy.engine.debian import image_system
from tests.deploy.engine.engine import Engine
from tests.servers.redis_server import server_binary

BASE: Final = "python:3.11-slim-bookworm"

_PING: Final = """#!/usr/local/bin/python
# valkey-cli -e ping
import socket, sys
with socket.create_connection(("127.0.0.1", 6379), 2) as server:
    server.sendall(b"PING\\r\\n")
    sys.exit(server.recv(64) != b"+PONG\\r\\n")
"""
_WGET: Final = """#!/usr/local/bin/python
# wget -q --spider URL
import sys, urllib.request
urllib.request.urlopen(sys.argv[-1], timeout=5)
"""
# Published images are compiled to take callers from elsewhere without a password.
_SERVER: Final = '#!/bin/sh\nexec /usr/local/lib/valkey-server "$@" --protected-mode no\n'
_VALKEY: Final = f"""FROM {BASE}
RUN groupadd --gid 1000 valkey && useradd --uid 999 --gid 1000 valkey && install -d -o 999 -g 1000 /data
COPY library/ /usr/local/lib/
COPY bin/ /usr/local/bin/
VOLUME /data
"""
_CADDY: Final = f"FROM {BASE}\nCOPY bin/ /usr/local/bin/\n"


def provide_images(engine: Engine, folder: Path) -> None:
    """Make sure that an engine of ours has what the Dockerfile begins with, and what runs beside Cutgate's images.

    In another engine they would stay under the names of others.
    """
    if not engine.enter:
        return
    services = project()["services"]
    makers: dict[str, Callable[[Engine, str, Path], None]] = {
        BASE: _make_base,
        services["redis"]["image"]: _make_valkey,
        services["tls"]["image"]: _make_caddy,
    }
    for number, (image, make) in enumerate(makers.items()):
        if engine.try_("image", "inspect", image).returncode and engine.try_("pull", "--quiet", image).returncode:
            place = folder / str(number)
            place.mkdir()
            make(engine, image, place)


def _make_base(engine: Engine, image: str, folder: Path) -> None:
    system = image_system(folder, engine.environment)
    packed = folder / "system.tar"
    subprocess.run(["tar", "--directory", system, "--create", "--file", packed, "."], check=True)
    shutil.rmtree(system)
    engine.run("import", "--change", 'CMD ["python"]', str(packed), image)


def _make_valkey(engine: Engine, image: str, folder: Path) -> None:
    _put(folder / "library" / "valkey-server", server_binary().read_bytes())
    _put(folder / "bin" / "valkey-server", _SERVER.encode())
    _put(folder / "bin" / "valkey-cli", _PING.encode())
    _build(engine, image, folder, _VALKEY)


def _make_caddy(engine: Engine, image: str, folder: Path) -> None:
    _put(folder / "bin" / "caddy", (Path(sys.executable).parent / "caddy").read_bytes())
    _put(folder / "bin" / "wget", _WGET.encode())
    _build(engine, image, folder, _CADDY)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)


def _build(engine: Engine, image: str, folder: Path, dockerfile: str) -> None:
    (folder / "Dockerfile").write_text(dockerfile, encoding="ascii")
    engine.run("build", "--tag", image, str(folder))
