"""Structured logs: one line an event, as JSON or for people, of this package and of its libraries alike."""

from __future__ import annotations

import logging.config
from typing import Any, Literal

import structlog
from structlog.typing import Processor

LogFormat = Literal["json", "console"]


def configure(log_format: LogFormat, level: str) -> None:
    """Send every log line of the process to standard error.

    Args:
        log_format: `json` for machines, `console` for people.
        level: the least severe lines that are written.
    """
    logging.config.dictConfig(logging_config(log_format, level))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def logging_config(log_format: LogFormat, level: str) -> dict[str, Any]:
    """The same for the standard library's loggers, as `logging.config.dictConfig` takes it."""
    # Plain tracebacks only: structlog's richer ones print local variables, keys and pictures among them.
    ending: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        "foreign_pre_chain": _common(),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
    }


def _common() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
