"""Makes the chart: objects of the manifests, with template expressions at the places of `places.yml`."""

import json
import re
import textwrap
import tomllib
from typing import Any, Final

import yaml

from deploy.helm.objects import ALERTS, DEPLOY, Object, alerts, objects

CHART: Final = DEPLOY / "helm" / "cutgate"
_HEAD: Final = "# Made by `python -m deploy.helm` of deploy/kubernetes and deploy/helm/places.yml.\n"
_TEXT: Final = "tag:yaml.org,2002:str"
_TYPES: Final = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}


def write() -> None:
    """Write what is made; NOTES.txt, _helpers.tpl and values-gpu.yaml are kept by hand."""
    ALERTS.write_text(alerts(), encoding="utf-8")
    for stale in CHART.glob("templates/*.yaml"):
        stale.unlink()
    for name, text in files().items():
        (CHART / name).write_text(text, encoding="utf-8")


def files() -> dict[str, str]:
    """The files that are made, by their paths in the chart."""
    table = yaml.safe_load((DEPLOY / "helm" / "places.yml").read_text(encoding="utf-8"))
    rows, things = table["values"], objects()
    for number, row in enumerate(rows):
        _mark(things, number, row)
    guards = {name: guard for guard, names in table["guards"].items() for name in names}
    made = {}
    for name, thing in things.items():
        guard = guards.get(re.sub("(?<=:).*", "", name))
        made[f"templates/{re.sub('[ :]', '-', name).lower()}.yaml"] = _template(thing, rows, guard)
    values = [row for row in rows if "value" in row]
    return made | {"values.yaml": _values(values), "values.schema.json": _schema(values), "Chart.yaml": _chart()}


def _mark(things: dict[str, Object], number: int, row: dict[str, Any]) -> None:
    """Put a mark at a row's places, and what stood at the first into the row as its default."""
    for place in row.get("at", []):
        kind, name, *path, last = (int(key) if key.isdigit() else key for key in place.split())
        inside: Any = things[f"{kind} {name}"]
        for key in path:
            inside = inside[key]
        if "value" in row and "default" not in row:
            row["default"] = inside[last]
        if isinstance(inside, list):
            inside[last : last + 1] = [f"__{number}__"]  # or behind its end
        else:
            inside[last] = f"__{number}__"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar(_TEXT, text, style="|" if "\n" in text else None)
)


def _template(thing: Object, rows: list[dict[str, Any]], guard: str | None) -> str:
    thing["metadata"]["namespace"] = "NAMESPACE"
    text = yaml.dump(thing, Dumper=_Dumper, width=100_000).replace("{{", '{{ "{{" }}')
    lines = [_line(line, rows) for line in text.replace("NAMESPACE", "{{ .Release.Namespace }}").splitlines()]
    if guard:
        lines = [f"{{{{- if {guard} }}}}", *lines, "{{- end }}"]
    return "\n".join([f"{{{{- /* {_HEAD[2:-1]} */ -}}}}", *lines]) + "\n"


def _line(line: str, rows: list[dict[str, Any]]) -> str:
    mark = re.search(r"__(\d+)__", line)
    if not mark:
        return line
    row = rows[int(mark[1])]
    made = line.replace(mark[0], row.get("template") or f"{{{{ toJson .Values.{row['value']} }}}}")
    return f"{{{{- if {row['when']} }}}}\n{made}\n{{{{- end }}}}" if "when" in row else made


def _values(rows: list[dict[str, Any]]) -> str:
    text = _HEAD
    for row in rows:
        section, _, name = row["value"].rpartition(".")
        heading = f"\n{section}:\n" if section else "\n"
        text += "" if section and heading in text else heading
        about = "".join(f"# {line}\n" for line in textwrap.wrap(row.get("about", ""), 110))
        value = yaml.safe_dump({name: row["default"]}, sort_keys=False)
        text += textwrap.indent(about + value, "  " if section else "")
    return text


def _schema(rows: list[dict[str, Any]]) -> str:
    """A JSON schema by which Helm refuses values that nobody reads."""
    whole = _closed({"global": {"type": "object"}})
    for row in rows:
        section, _, name = row["value"].rpartition(".")
        inside = whole["properties"].setdefault(section, _closed({})) if section else whole
        inside["properties"][name] = row.get("schema") or {"type": _TYPES[type(row["default"])]}
    return json.dumps(whole, indent=2) + "\n"


def _closed(properties: Object) -> Object:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _chart() -> str:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = {name: project[name] for name in ("name", "version", "description")}
    chart = {"apiVersion": "v2", **own, "appVersion": project["version"], "kubeVersion": ">=1.30.0-0"}
    return _HEAD + yaml.safe_dump(chart, sort_keys=False)
