"""Every setting, by the part of the service that declares it."""

import re
from typing import Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from cutgate.courier.settings import CourierSettings
from cutgate.gateway.settings import GatewaySettings
from cutgate.jobs.blob_settings import BlobSettings
from cutgate.jobs.settings import JobSettings
from cutgate.worker.settings import NetworkSettings, WorkerSettings
from manual.markdown import code, one_line, table

FIELDS: Final = CourierSettings.model_fields | WorkerSettings.model_fields
"""All of them; where gateway and worker describe one, the worker's words count, which say more."""

GROUPS: Final[dict[str, type[BaseSettings]]] = {
    "storage": BlobSettings,
    "all parts": JobSettings,
    "gateway": GatewaySettings,
    "courier": CourierSettings,
    "network": NetworkSettings,
    "worker": WorkerSettings,
}

_FOLDERS: Final = {"models_dir": "models", "cache_dir": "graphs"}
"""Defaults that are folders of whoever runs the worker."""


def settings_table(group: str) -> str:
    """The settings that a group's class declares, and none before it."""
    names = list(GROUPS)
    before = {name for other in names[: names.index(group)] for name in _declared(GROUPS[other])}
    rows = [
        (code(variable(name)), _default(name, FIELDS[name]), _linked(one_line(FIELDS[name].description)))
        for name in _declared(GROUPS[group])
        if name not in before
    ]
    return table(("Setting", "Default", "What it does"), rows)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CUTGATE_{name.upper()}"


def _linked(text: str) -> str:
    """A text of the program, which names pages from the repository's root, as it stands on a page beside them."""
    return re.sub(r"`docs/([\w-]+\.md)`", r"[\1](\1)", text)


def _declared(kind: type[BaseSettings]) -> list[str]:
    return [name for name in kind.__annotations__ if name in kind.model_fields]


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return code(f"~/.cache/cutgate/{_FOLDERS[name]}")
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if isinstance(default, tuple):
        default = ", ".join(map(str, default))
    if isinstance(default, bool):
        default = str(default).lower()
    return "unset" if default in (None, "") else code(default)
