"""Structured logs: one line an event, as JSON or for people, of this package and of its libraries alike."""

import logging.config
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final, Literal

import structlog
from structlog.typing import EventDict, Processor

LogFormat = Literal["json", "console"]

_OURS: Final = ("cutgate",)
_NEVER: Final = 100
"""Above every level."""
_LAYOUT: Final = "\n\t"
"""What a traceback has beside printable characters."""
_LOG: Final = structlog.get_logger(__name__)
_FACTS: Final = ContextVar[Mapping[str, object]]("facts", default=MappingProxyType({}))
"""What is bound. structlog's own way is a variable for each name, all of which it goes over for each line and to
forget them: ten times the work."""


def configure(log_format: LogFormat, level: str) -> None:
    """Send every log line of the process to standard error, and what else would be printed there, as lines."""
    logging.config.dictConfig(logging_config(log_format, level))
    [handler] = logging.getLogger().handlers
    structlog.configure(
        processors=[merge_bound, *_common(), *_ending(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines(handler),
    )
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
            **{name: {"level": own} for name in _OURS},
            # Below errors it tells of every broken request, which anybody can send.
            "uvicorn.error": {"level": max(own, logging.ERROR)},
            # Of Celery's pool; it hands nothing on, and would print plain text.
            "multiprocessing": {"handlers": ["stderr"], "level": max(own, logging.WARNING), "propagate": False},
            # It tells of every span that it cannot send; `cutgate.jobs.observe.otlp` does once.
            "opentelemetry": {"level": _NEVER},
        },
    }


def begin(**facts: object) -> None:
    """Bind what all lines of this thread, or task of a loop, belong to from now on, and nothing else."""
    _FACTS.set(facts)


def bind(**facts: object) -> None:
    """Bind more of what all lines belong to from now on."""
    _FACTS.set({**_FACTS.get(), **facts})


@contextmanager
def binding(**facts: object) -> Iterator[None]:
    """Bind what the lines of a block belong to."""
    before = {name: value for name, value in _FACTS.get().items() if name in facts}
    bind(**facts)
    try:
        yield
    finally:
        _FACTS.set({name: value for name, value in _FACTS.get().items() if name not in facts} | before)


def facts() -> Mapping[str, object]:
    """What is bound."""
    return _FACTS.get()


def bound(name: str) -> str:
    """What is bound under a name; empty where nothing is."""
    return str(_FACTS.get().get(name, ""))


def merge_bound(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Add what is bound to an event, whose own facts count before it: a processor of structlog's."""
    for name, value in _FACTS.get().items():
        event.setdefault(name, value)
    return event


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


@dataclass(frozen=True, slots=True)
class _Line:
    """Writes finished lines, all of one logger, where the standard library's handler does, between those of it."""

    name: str
    handler: logging.StreamHandler[Any]

    def msg(self, line: str) -> None:
        self.handler.acquire()
        try:
            self.handler.stream.write(f"{line}\n")
            self.handler.flush()
        except (OSError, ValueError):
            return  # what cannot be told is done all the same
        finally:
            self.handler.release()

    debug = info = warning = error = critical = msg


class _Lines:
    """Makes loggers that take no way through the standard library's: each of them costs a third as much."""

    def __init__(self, handler: logging.Handler) -> None:
        assert isinstance(handler, logging.StreamHandler)
        self._handler = handler
        self._lines: dict[str, _Line] = {}

    def __call__(self, name: str = _OURS[0]) -> _Line:
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(name, self._handler)
        return line


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
