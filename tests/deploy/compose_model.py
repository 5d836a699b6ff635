"""docker-compose.yml and the files that are put over it, as Compose reads them: variables, `extends`, merging."""

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
MAIN: Final = "docker-compose.yml"
OVERRIDES: Final = tuple(sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("deploy/compose/*.yml")))
PROFILES: Final = ("gpu", "tls", "s3", "monitoring", "models")
VARIABLE: Final = re.compile(r"\$\{(\w+):-([^${}]*)\}")
"""One that has no other within its default; those within others come first."""
_TAKEN_WHOLE: Final = {"command", "entrypoint", "test"}
"""Lists that a later file replaces; others are joined."""

Mapped = dict[str, Any]


def compose_file(path: str, environment: Mapping[str, str]) -> Mapped:
    loaded: Mapped = _interpolated(_parsed(path), environment)
    return loaded


@functools.cache
def _parsed(path: str) -> Mapped:
    parsed: Mapped = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return parsed


def project(*overrides: str, **environment: str) -> Mapped:
    """What Compose makes of docker-compose.yml with other files put over it, all profiles included."""
    result: Mapped = {}
    for path in (MAIN, *overrides):
        file = compose_file(path, environment)
        file["services"] = {
            name: _normalised(_extended(service, file, environment)) for name, service in file["services"].items()
        }
        result = _merged(result, file)
    return result


def services_of(model: Mapped, *profiles: str) -> dict[str, Mapped]:
    """The services that `docker compose up` starts with these profiles."""
    return {
        name: service
        for name, service in model["services"].items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }


def mounted_secrets(service: Mapped) -> dict[str, str]:
    """By the file's name in the container the secret that it holds."""
    rows = (row if isinstance(row, dict) else {"source": row, "target": row} for row in service.get("secrets", []))
    return {row["target"]: row["source"] for row in rows}


def variables() -> dict[str, str]:
    """Every variable that the files read, with what holds without it."""
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in (MAIN, *OVERRIDES)]
    found: dict[str, str] = {}

    def default(variable: re.Match[str]) -> str:
        found[variable[1]] = variable[2]
        return variable[2]

    for text in texts:
        _replaced(text, default)
    return found


def _interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _interpolated(member, environment) for name, member in value.items()}
    if isinstance(value, list):
        return [_interpolated(member, environment) for member in value]
    if not isinstance(value, str):
        return value
    value = _replaced(value, lambda found: environment.get(found[1]) or found[2])
    assert "$" not in value, f"a form that this reader does not know: {value}"
    return value


def _replaced(text: str, value: Callable[[re.Match[str]], str]) -> str:
    """The text with every variable replaced, from the inside out."""
    while VARIABLE.search(text):
        text = VARIABLE.sub(value, text)
    return text


def _extended(service: Mapped, file: Mapped, environment: Mapping[str, str]) -> Mapped:
    """The service on top of the one that it extends; that one extends no other here."""
    own = dict(service)
    if (base := own.pop("extends", None)) is None:
        return own
    source = compose_file(base["file"], environment) if "file" in base else file
    extended: Mapped = _merged(_normalised(source["services"][base["service"]]), _normalised(own))
    return extended


def _normalised(service: Mapped) -> Mapped:
    """The long form of what may be a list of names."""
    return service | {
        key: {name: {} for name in service[key]}
        for key in ("networks", "depends_on")
        if isinstance(service.get(key), list)
    }


def _merged(base: Any, over: Any, key: str = "") -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {
            name: _merged(base[name], over[name], name) if name in base else over[name] for name in over
        }
    if isinstance(base, list) and isinstance(over, list) and key not in _TAKEN_WHOLE:
        return base + [member for member in over if member not in base]
    return over
