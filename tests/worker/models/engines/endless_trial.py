"""A trial's program whose network never comes to an end."""

import sys

from cutgate.worker.models.engines import trial


def endless(*_: object) -> None:
    """Compute until the system ends the process."""
    while True:
        pass


if __name__ == "__main__":
    setattr(trial, "open_engine", endless)  # noqa: B010 — a plain assignment would not be of its type
    trial.main(*sys.argv[1:])
