"""What the façades over HTTP do with an error alike."""

from collections.abc import Mapping
from typing import Final

import structlog
from werkzeug.exceptions import HTTPException

from cutgate.jobs.observe import logs

_KEPT_HEADERS: Final = frozenset({"Allow", "Content-Range"})
"""What an HTTP error says beside its page."""
_LOG: Final = structlog.get_logger(__name__)


def log_refusal(error: Exception, *, is_fault: bool) -> Mapping[str, str]:
    """Log why the present request is refused, with a traceback where it is this server's fault.

    Returns:
        The headers of the error that its answer keeps in every protocol.
    """
    if is_fault:
        _LOG.error("request_failed", exc_info=error)
    logs.bind(reason=f"{type(error).__name__}: {error}")
    found = error.get_headers() if isinstance(error, HTTPException) else ()
    return {name: value for name, value in found if name in _KEPT_HEADERS}
