"""Panels, and how Grafana writes them: its grid, its units, its thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import ascii_uppercase
from typing import Any, Final

Json = dict[str, Any]

SOURCE: Final = {"type": "prometheus", "uid": "cutgate-prometheus"}
"""The data source that `grafana/provisioning/datasources` makes."""
COLUMNS: Final = 24


class Kind(StrEnum):
    """Grafana's names of the panels that are used here."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"


class Unit(StrEnum):
    """Grafana's names of units."""

    COUNT = "short"
    SECONDS = "s"
    SHARE = "percentunit"
    REQUESTS_PER_SECOND = "reqps"
    PER_SECOND = "suffix: /s"
    MEGAPIXELS_PER_SECOND = "suffix: MP/s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel."""

    title: str
    description: str
    queries: Mapping[str, str]
    """Each query by the legend of what it returns; a legend may hold labels, `{{lane}}`."""
    unit: Unit
    kind: Kind = Kind.LINES
    width: int = 8
    """Of the grid's 24 columns."""
    height: int = 8
    stacked: bool = False
    warn_at: float | None = None
    """Value from which it is yellow."""
    alarm_at: float | None = None
    """Value from which it is red."""
    alarm_below: float | None = None
    """Value below which it is red."""
    words: Mapping[int, str] | None = None
    """Texts shown in place of these values."""

    def to_json(self, number: int, x: int, y: int) -> Json:
        """The panel as Grafana reads it.

        Args:
            number: an id of its own.
            x: its left edge, in columns.
            y: its upper edge, in the grid's lines.
        """
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [
                self._target(letter, legend, expression)
                for letter, (legend, expression) in zip(ascii_uppercase, self.queries.items(), strict=False)
            ],
            "fieldConfig": {"defaults": self._field(), "overrides": []},
            "options": self._options(),
            **({"transformations": _TABLE_OF_LABELS} if self.kind is Kind.TABLE else {}),
        }

    def _target(self, letter: str, legend: str, expression: str) -> Json:
        target: Json = {"refId": letter, "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        if self.kind is Kind.TABLE:
            target |= {"format": "table", "instant": True}
        return target

    def _field(self) -> Json:
        field: Json = {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": self._steps()}}
        if self.words is not None:
            options = {str(value): {"text": text} for value, text in self.words.items()}
            field["mappings"] = [{"type": "value", "options": options}]
        if self.kind is Kind.LINES:
            field["custom"] = {
                "fillOpacity": 25 if self.stacked else 8,
                "showPoints": "never",
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "thresholdsStyle": {"mode": "off" if self.alarm_at is None else "line"},
            }
        return field

    def _steps(self) -> list[Json]:
        base = "green" if self.alarm_below is None else "red"
        steps: list[Json] = [{"color": base, "value": None}]
        bounds = (("green", self.alarm_below), ("yellow", self.warn_at), ("red", self.alarm_at))
        steps += [{"color": color, "value": value} for color, value in bounds if value is not None]
        return steps

    def _options(self) -> Json:
        match self.kind:
            case Kind.LINES:
                legend = {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max", "lastNotNull"]}
                return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
            case Kind.NUMBER:
                return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
            case Kind.TABLE:
                return {"cellHeight": "sm"}


_TABLE_OF_LABELS: Final = [
    {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True}}}
]
"""Of an instant query's table only the labels say something."""
