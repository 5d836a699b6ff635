"""Structured logs: one line an event, as JSON or for people, of this package and of its libraries alike."""

import logging.config
import sys
import threading
from types import TracebackType
from typing import Any, Final, Literal

import structlog
from structlog.typing import Processor

LogFormat = Literal["json", "console"]

_NEVER: Final = 100
"""Above every level."""
_LAYOUT: Final = "\n\t"
"""What a traceback has beside printable characters."""
_LOG: Final = structlog.get_logger(__name__)


def configure(log_format: LogFormat, level: str) -> None:
    """Send every log line of the process to standard error, and what else would be printed there, as lines."""
    logging.config.dictConfig(logging_config(log_format, level))
    structlog.configure(
        processors=[merge_bound, *_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    logging.raiseExceptions = False  # what cannot be told is done all the same
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def logging_config(log_format: LogFormat, level: str) -> dict[str, Any]:
    """The same for the standard library's loggers, as `logging.config.dictConfig` takes it.

    Libraries are held to warnings, whatever the level: at lower ones some write headers, URLs and what they sign.
    """
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(log_format)],
        "foreign_pre_chain": [merge_bound, *_common()],
    }
    own = logging.getLevelNamesMapping()[level.upper()]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": max(own, logging.WARNING)},
        "loggers": {
            "cutgate": {"level": own},
            # Below errors it tells of every broken request, which anybody can send.
            "uvicorn.error": {"level": max(own, logging.ERROR)},
            # Of Celery's pool; it hands nothing on, and would print plain text.
            "multiprocessing": {"handlers": ["stderr"], "level": max(own, logging.WARNING), "propagate": False},
            # It tells of every span that it cannot send; `cutgate.jobs.observe.otlp` does once.
            "opentelemetry": {"level": _NEVER},
        },
    }


bind: Final = structlog.contextvars.bind_contextvars
"""Bind more of what all lines of this thread, or task of a loop, belong to from now on."""
binding: Final = structlog.contextvars.bound_contextvars
"""Bind what the lines of a block belong to."""
facts: Final = structlog.contextvars.get_contextvars
"""What is bound."""
merge_bound: Final = structlog.contextvars.merge_contextvars
"""Add what is bound to an event, whose own facts count before it: a processor of structlog's."""


def begin(**facts: object) -> None:
    """Bind what all lines of this thread, or task of a loop, belong to from now on, and nothing else."""
    structlog.contextvars.clear_contextvars()
    bind(**facts)


def bound(name: str) -> str:
    """What is bound under a name; empty where nothing is."""
    return str(facts().get(name, ""))


def _common() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _ending(log_format: LogFormat) -> list[Processor]:
    """What makes a line of an event."""
    # Plain tracebacks only: structlog's richer ones print local variables, keys and pictures among them.
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        _printable,
    ]


def _printable(_logger: object, _method: str, rendered: Any) -> str:
    """A line for a terminal: what callers sent does not move its cursor or change its title."""
    text = str(rendered)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in _LAYOUT else _escaped(character) for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _LOG.error("process_failed", exc_info=(kind, error, trace))


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not issubclass(failed.exc_type, SystemExit):
        _LOG.error("thread_failed", exc_info=failed.exc_value)
