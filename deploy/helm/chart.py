"""Makes the chart of the manifests: objects with template expressions at the places of `places.yml`, values, schema."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.helm.objects import DEPLOY, Object, objects

CHART: Final = DEPLOY / "helm" / "cutgate"
_HEAD: Final = "# Made by `python -m deploy.helm` of deploy/kubernetes and deploy/helm/places.yml.\n"
_TYPES: Final = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
_PLACE: Final = re.compile(r"__(\d+)__")


def write() -> None:
    """Write what is made; NOTES.txt, _helpers.tpl and values-gpu.yaml are kept by hand."""
    for stale in CHART.glob("templates/*.yaml"):
        stale.unlink()
    for name, text in files().items():
        (CHART / name).write_text(text, encoding="utf-8")


def files() -> dict[str, str]:
    """The files that are made, by their paths in the chart."""
    table = yaml.safe_load((DEPLOY / "helm" / "places.yml").read_text(encoding="utf-8"))
    rows, things = table["values"], objects()
    for number, row in enumerate(rows):
        _fill(things, number, row)
    guards = {name: guard for guard, names in table["guards"].items() for name in names}
    made = {}
    for name, thing in things.items():
        component, colon, _ = name.rpartition(":")
        guard = guards.get(component + colon if component else name)
        made[f"templates/{re.sub('[ :]', '-', name).lower()}.yaml"] = _template(thing, rows, guard)
    values = [row for row in rows if "value" in row]
    schema = json.dumps(_schema(values), indent=2) + "\n"
    return made | {"values.yaml": _values(values), "values.schema.json": schema, "Chart.yaml": _chart()}


def _fill(things: dict[str, Object], number: int, row: dict[str, Any]) -> None:
    """Put a mark at a row's places, and what stood at the first into the row as its default."""
    for place in row.get("at", []):
        kind, name, *path, last = (int(key) if key.isdigit() else key for key in place.split())
        inside: Any = things[f"{kind} {name}"]
        for key in path:
            inside = inside[key]
        if "template" not in row and "when" not in row:
            row.setdefault("default", inside[last])
        inside[last] = f"__{number}__"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _template(thing: Object, rows: list[dict[str, Any]], guard: str | None) -> str:
    thing["metadata"]["namespace"] = "NAMESPACE"
    text = yaml.dump(thing, Dumper=_Dumper, width=100_000).replace("{{", '{{ "{{" }}')
    lines = [_line(line, rows) for line in text.replace("NAMESPACE", "{{ .Release.Namespace }}").splitlines()]
    inside = [f"{{{{- if {guard} }}}}", *lines, "{{- end }}"] if guard else lines
    return _HEAD + "\n".join(inside) + "\n"


def _line(line: str, rows: list[dict[str, Any]]) -> str:
    mark = _PLACE.search(line)
    if not mark:
        return line
    row = rows[int(mark[1])]
    made = line.replace(mark[0], row.get("template") or f"{{{{ toJson .Values.{row['value']} }}}}")
    return f"{{{{- if {row['when']} }}}}\n{made}\n{{{{- end }}}}" if "when" in row else made


def _values(rows: list[dict[str, Any]]) -> str:
    return _HEAD + "".join(_described_values(rows))


def _described_values(rows: list[dict[str, Any]]) -> Iterator[str]:
    before = ""
    for row in rows:
        section, _, name = row["value"].rpartition(".")
        if section != before or not section:
            yield f"\n{section}:\n" if section else "\n"
        before = section
        text = "".join(f"# {line}\n" for line in textwrap.wrap(row.get("about", ""), 110))
        text += yaml.safe_dump({name: row["default"]}, sort_keys=False)
        yield textwrap.indent(text, "  " if section else "")


def _schema(rows: list[dict[str, Any]]) -> Object:
    """A JSON schema by which Helm refuses values that nobody reads."""
    whole = _closed({"global": {"type": "object"}})
    for row in rows:
        section, _, name = row["value"].rpartition(".")
        inside = whole["properties"].setdefault(section, _closed({})) if section else whole
        inside["properties"][name] = row.get("schema") or {"type": _TYPES[type(row["default"])]}
    return whole


def _closed(properties: Object) -> Object:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _chart() -> str:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chart = {
        "apiVersion": "v2",
        "name": "cutgate",
        "description": project["description"],
        "type": "application",
        "version": project["version"],
        "appVersion": project["version"],
        "kubeVersion": ">=1.30.0-0",
    }
    return _HEAD + yaml.safe_dump(chart, sort_keys=False)
