"""Joins the ES modules of a page into one script, which a browser fetches once instead of forty times.

The modules stay as they are: this reads the forms of `import` and `export` that they use and refuses all others.
"""

import posixpath
import re
from collections.abc import Mapping
from typing import Final

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async function|function\*?|class|const) (\w+))", re.MULTILINE)
_DOCS: Final = re.compile(r"^ *(?:/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
"""Comments that have their lines for themselves: a third of the text, which nobody reads there."""
_OTHER: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


class BundleError(ValueError):
    """The modules cannot be joined."""


def joined(entry: str, sources: Mapping[str, str]) -> str:
    """Join a module with all that it imports.

    Args:
        entry: the module that the page loads.
        sources: the text of each module, by its path below one folder, such as `stage/view.js`.

    Returns:
        The text of one module: a function for each of those joined, in the order in which a browser runs them.

    Raises:
        BundleError: a module is missing, imports itself by way of others, or uses a form that this does not know.
    """
    places: dict[str, str] = {}
    parts: list[str] = []

    def add(name: str, path: tuple[str, ...]) -> str:
        """Append a module behind what it imports; returns the name of the constant that holds what it exports."""
        if name in path:
            raise BundleError(f"modules import each other: {' -> '.join([*path, name])}")
        if name in places:
            return places[name]
        if name not in sources:
            raise BundleError(f"{path[-1] if path else 'the page'} imports {name}, which does not exist")

        def constants(found: re.Match[str]) -> str:
            members, address = found.groups()
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(name), address))
            return f"const {{{members.replace(' as ', ': ')}}} = {add(imported, (*path, name))};"

        text = _IMPORT.sub(constants, _DOCS.sub("", sources[name]))
        exported = ", ".join(_EXPORT.findall(text))
        text = _EXPORT.sub("", text)
        if other := _OTHER.search(text):
            raise BundleError(f"{name}: `{other[0]}` is a form of import or export that the bundle does not know")
        place = places[name] = f"module{len(places)}"
        parts.append(f"// {name}\nconst {place} = (() => {{\n{text}\nreturn {{ {exported} }};\n}})();\n")
        return place

    add(entry, ())
    return "".join(parts)
