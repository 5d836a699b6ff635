"""Processes of an image as an engine runs them with a root that cannot be written: its user, environment, command.

Everything is read-only but a `/tmp` of its own and the volumes. Network and host name are this machine's.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.deploy.built_images import Image
from tests.deploy.composed import stop

_ENTER: Final = """
root=$1; user=$2; shift 2
mount --bind "$root" "$root"
mount --options remount,bind,ro "$root"
mount --types tmpfs --options size=256m tmpfs "$root/tmp"
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
exec chroot --userspec="$user" "$root" /usr/bin/env --ignore-environment "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnly:
    """An image whose root is mounted."""

    image: Image
    root: Path
    settings: Mapping[str, str]
    """Environment on top of the image's own."""
    volumes: Mapping[Path, str] = field(default_factory=dict)
    """Folders of this machine that can be written, and where they are in the image."""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command(command), capture_output=True, text=True, check=False)

    def check(self) -> subprocess.CompletedProcess[str]:
        """Run the image's own health check once."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command)

    @contextmanager
    def started(self, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(self.image.config["Cmd"]), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            try:
                yield process
            finally:
                stop(process)

    def _command(self, words: list[str] | tuple[str, ...]) -> list[str]:
        environment = [*self.image.config["Env"], *(f"{name}={value}" for name, value in self.settings.items())]
        volumes = [text for here, there in self.volumes.items() for text in (str(here), there)]
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _ENTER, "enter"]
        return [*enter, str(self.root), self.image.config["User"], *volumes, "--", *environment, *words]
