"""Logs without data of patients: plain lines or JSON, with request ids, and of errors no more than type and place."""

from __future__ import annotations

import json
import logging
import logging.config
from contextvars import ContextVar
from types import TracebackType

from histoseek.server.clock import to_datetime

current_request_id: ContextVar[str] = ContextVar("request_id_now", default="")
"""The id of the request that this thread or task works for."""

_OURS = ("histoseek", "uvicorn")
_ACCESS = "uvicorn.access"
_SILENT = logging.CRITICAL + 1
"""No record is even made: uvicorn makes one for each request, as this logger has a handler."""


def configure_logging(json_lines: bool) -> None:
    """Set up the logs of this process, warnings of packages included. Call it once, before the server starts.

    Start uvicorn with `log_config=None, access_log=False`: its access log would hold query strings.
    """
    formatter = f"{__name__}.{JsonFormatter.__name__ if json_lines else PlainFormatter.__name__}"
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"private": {"()": f"{__name__}.{PrivacyFilter.__name__}"}},
            "formatters": {"lines": {"()": formatter}},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["private"]},
                "nowhere": {"class": "logging.NullHandler"},
            },
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {
                "histoseek": {"level": "INFO"},
                "uvicorn": {"level": "INFO", "handlers": [], "propagate": True},
                "uvicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
                # It names damaged files by their paths; the readers of slides report them, too.
                "pyvips": {"level": "ERROR"},
                _ACCESS: {"level": _SILENT, "handlers": ["nowhere"], "propagate": False},
            },
        }
    )
    logging.captureWarnings(True)


class PrivacyFilter(logging.Filter):
    """Lets our own words through; withholds those of other packages, as they may name files."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record's words may be replaced."""
        if record.name.partition(".")[0] not in _OURS:
            record.msg, record.args = "message withheld, as it may name files or patients", ()
        return True


class PlainFormatter(logging.Formatter):
    """One line a record: time, level, logger, request id, words, and where an error came from."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        parts = [
            _format_time(record),
            record.levelname,
            record.name,
            current_request_id.get(),
            _flatten_message(record),
            _format_error(record),
        ]
        return " ".join(part for part in parts if part)


class JsonFormatter(logging.Formatter):
    """One JSON object a record, with the same parts."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        parts = {
            "time": _format_time(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": current_request_id.get(),
            "message": _flatten_message(record),
            "error": _format_error(record),
        }
        return json.dumps({name: part for name, part in parts.items() if part})


def locate_error(error: BaseException) -> str:
    """The type of an error and the innermost of our modules it came through, as `ValueError at ranking:120`."""
    place = ""
    trace: TracebackType | None = error.__traceback__
    while trace:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == "histoseek":
            place = f" at {module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"


def _format_error(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return locate_error(error) if error else ""


def _flatten_message(record: logging.LogRecord) -> str:
    """The message on one line, whatever it holds."""
    return " ".join(record.getMessage().split())


def _format_time(record: logging.LogRecord) -> str:
    return to_datetime(record.created).isoformat(timespec="milliseconds")
