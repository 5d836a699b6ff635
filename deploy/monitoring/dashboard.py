"""Makes Grafana's dashboard of `dashboard.yml`: `python -m deploy.monitoring.dashboard` writes the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.monitoring.panel import COLUMNS, SOURCE, Json, Kind, Panel, Unit

_HERE: Final = Path(__file__).parent
DESCRIPTION: Final = _HERE / "dashboard.yml"
PATH: Final = _HERE / "grafana" / "dashboards" / "cutgate.json"
ALERTS: Final = 'ALERTS{alertname=~"Cutgate.*",alertstate="firing"}'
"""Marked on every graph."""
_HEADING_HEIGHT: Final = 1

Row = tuple[str, list[Panel]]
"""A heading and the panels under it."""


def described_rows() -> list[Row]:
    """The rows of `dashboard.yml`."""
    rows = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return [(row["row"], [_panel(row.get("panels_are", {}) | panel) for panel in row["panels"]]) for row in rows]


def _panel(members: dict[str, Any]) -> Panel:
    kind, unit = Kind[members.pop("kind", "lines").upper()], Unit[members.pop("unit").upper()]
    return Panel(kind=kind, unit=unit, **members)


def lay_out(rows: Iterable[Row]) -> Iterator[Json]:
    """Every heading and panel at its place in the grid: from left to right, then the next line."""
    number, y = 0, 0
    for title, panels in rows:
        number += 1
        place = {"x": 0, "y": y, "w": COLUMNS, "h": _HEADING_HEIGHT}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        x, y, line_height = 0, y + _HEADING_HEIGHT, 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, line_height = 0, y + line_height, 0
            number += 1
            yield panel.to_json(number, x, y)
            x, line_height = x + panel.width, max(line_height, panel.height)
        y += line_height


def dashboard() -> Json:
    """The whole dashboard as Grafana reads it."""
    alerts = {
        "name": "Alerts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": ALERTS,
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }
    return {
        "uid": "cutgate",
        "title": "Cutgate",
        "description": "What the service does, from a request to its result.",
        "tags": ["cutgate"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [alerts]},
        "templating": {"list": []},
        "links": [],
        "panels": list(lay_out(described_rows())),
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
