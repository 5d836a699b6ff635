"""Whether the gateway of this machine answers: `python -m cutgate.gateway.alive`, for health checks.

It runs every few seconds beside the work, so it imports the standard library alone.
"""

import os
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final

_CHECK_SECONDS: Final = 3


def fault(host: str, port: int) -> str | None:
    """Why the gateway at an address does not count as alive; nothing where it does."""
    # The address that means every interface leads, as one to connect to, to this machine.
    connection = HTTPConnection(host, port, timeout=_CHECK_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"the gateway does not answer: {error}"
    finally:
        connection.close()
    return None if status == HTTPStatus.OK else f"the gateway answers HTTP {status}"


def main() -> None:
    """Exit with 1 and a reason unless the gateway answers where the environment has it listen."""
    # The defaults of the gateway's settings, which are not imported; a test compares them.
    sys.exit(fault(os.environ.get("CUTGATE_HOST", "127.0.0.1"), int(os.environ.get("CUTGATE_PORT", "8080"))))


if __name__ == "__main__":
    main()
