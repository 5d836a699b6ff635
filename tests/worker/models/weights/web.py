"""A web server of this machine, with made-up files and a made-up npm package."""

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from tests.servers.relay import served

PACKAGE = "weights-for-tests"


class Web:
    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    def publish(self, members: dict[str, bytes]) -> int:
        """Serve an npm package with these files in its `dist` folder; returns the tarball's size in bytes."""
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, data in {"package.json": self._manifest(), **members}.items():
                info = tarfile.TarInfo("package/" + (name if name == "package.json" else f"dist/{name}"))
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        tarball = file.getvalue()
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        dist = {"tarball": f"{self.address}/package.tgz", "integrity": integrity}
        version = {"name": PACKAGE, "version": "1.0.0", "dist": dist}
        listing = {"name": PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        self.files |= {f"/{PACKAGE}": json.dumps(listing).encode(), "/package.tgz": tarball}
        return len(tarball)

    @staticmethod
    def _manifest() -> bytes:
        # Were any of this run, the test would see it fail.
        return json.dumps({"name": PACKAGE, "version": "1.0.0", "scripts": {"prepack": "exit 1"}}).encode()


@contextmanager
def serve() -> Iterator[Web]:

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            web.asked.append(path)
            data = web.files.get(path)
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: object) -> None:
            """Keep the tests' output clean."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        web = Web(f"http://127.0.0.1:{server.server_address[1]}")
        yield web
