"""Every setting, by the part of the service that declares it."""

from typing import Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from cutgate.courier.settings import CourierSettings
from cutgate.gateway.settings import GatewaySettings, ServiceSettings
from cutgate.jobs.limits import LedgerSettings
from cutgate.jobs.settings import BlobSettings, JobSettings
from cutgate.worker.settings import NetworkSettings, WorkerSettings
from docs.manual.markdown import code, items, one_line

FIELDS: Final = GatewaySettings.model_fields | CourierSettings.model_fields | WorkerSettings.model_fields
"""All of them; where gateway and worker describe one, the worker's words count, which say more."""

GROUPS: Final[dict[str, tuple[type[BaseModel], ...]]] = {
    "storage": (BlobSettings,),
    "all parts": (LedgerSettings, JobSettings),
    "gateway": (ServiceSettings, GatewaySettings),
    "courier": (CourierSettings,),
    "network": (NetworkSettings,),
    "worker": (WorkerSettings,),
}

_FOLDERS: Final = {"models_dir": "models", "cache_dir": "graphs"}
"""Defaults that are folders of whoever runs the worker."""


def settings_list(group: str) -> str:
    """The settings that a group's classes declare, and none before it, each as it is set."""
    names = list(GROUPS)
    before = {name for other in names[: names.index(group)] for name in _declared(GROUPS[other])}
    own = [name for name in _declared(GROUPS[group]) if name not in before]
    return items((_shown(name, FIELDS[name]), one_line(FIELDS[name].description)) for name in own)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CUTGATE_{name.upper()}"


def _shown(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return f"{code(variable(name))} (required)"
    default = _default(name, field)
    return code(f"{variable(name)}={default}" if default else variable(name))


def _declared(kinds: tuple[type[BaseModel], ...]) -> list[str]:
    return [name for kind in kinds for name in kind.__annotations__ if name in kind.model_fields]


def _default(name: str, field: FieldInfo) -> str:
    """As a variable holds it; empty where a setting is unset."""
    if field.default_factory is not None:
        return f"~/.cache/cutgate/{_FOLDERS[name]}"
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)
