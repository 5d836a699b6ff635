"""The parts as small as can be, for what the real ones do not do on demand: die, or never get ready."""

from pathlib import Path

GATEWAY = """
import http.server, json, os, pathlib, sys, time

def environment_is_whole():
    key = pathlib.Path(os.environ["CUTGATE_SECRETS_DIR"], "cutgate_master_key").read_text()
    return len(key) == 44 and pathlib.Path(os.environ["CUTGATE_BLOB_DIR"]).is_dir()

class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path in ("/playground", "/readyz")
        ready = known and environment_is_whole() and list(state.glob("worker-*"))
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"" if ready else b"no worker")

    def log_message(self, *_):
        pass

state = pathlib.Path(os.environ["STATE"])
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
if sys.argv[1] == "keys":
    assert "CUTGATE_PUBLIC_URL" not in os.environ
    with open(state / "keys", "a") as made:
        made.write("made\\n")
    if "--api-key" in sys.argv:
        print(json.dumps({"account": "first", "api_key": "api-key-text"}))
    else:
        print(json.dumps({"account": "first", "public_key": "public", "private_key": "private-key-text"}))
else:
    (state / f"gateway-{os.getpid()}").touch()
    http.server.HTTPServer((options["--host"], int(options["--port"])), Pages).serve_forever()
"""

COURIER = """
import os, pathlib, time

pathlib.Path(os.environ["STATE"], f"courier-{os.getpid()}").touch()
time.sleep(600)
"""

WORKER = """
import os, pathlib, sys, time

if os.environ.get("WORKER_DIES"):
    print("no weights here")
    sys.exit(3)
state = pathlib.Path(os.environ["STATE"])
if not os.environ.get("WORKER_HANGS"):
    written = state / f".worker-{os.getpid()}"
    written.write_text(os.environ["CUTGATE_THREADS"])
    written.rename(state / written.name[1:])  # whoever looks sees it whole or not at all
print("worker is ready with", os.environ["CUTGATE_REDIS_URL"], flush=True)
time.sleep(600)
"""


def write_stand_ins(folder: Path) -> None:
    """Make a package `cutgate` of these parts alone in a folder that is to come first on the path."""
    for name, code in (("gateway", GATEWAY), ("courier", COURIER), ("worker", WORKER)):
        part = folder / "cutgate" / name
        part.mkdir(parents=True)
        (part.parent / "__init__.py").touch()
        (part / "__init__.py").touch()
        (part / "__main__.py").write_text(code)
