"""The folders that an assistant may read and write."""

from dataclasses import dataclass
from pathlib import Path

from cutgate.errors import CutgateError


@dataclass(frozen=True, slots=True)
class Folders:
    """Resolved folders; relative paths start at the first one."""

    allowed: tuple[Path, ...]

    def to_read(self, name: str) -> Path:
        """Path of a picture, symbolic links followed.

        Raises:
            CutgateError: it leads out of the folders.
            FileNotFoundError: there is no such file.
        """
        path = self._inside(name)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return path

    def to_write(self, name: str, source: Path, *, overwrite: bool) -> Path:
        """Path of a result.

        Raises:
            CutgateError: it leads out of the folders, is the source, or is there and not to be overwritten.
            FileNotFoundError: its folder is missing.
        """
        path = self._inside(name)
        if path == source or (path.exists() and not overwrite):
            raise CutgateError(f"{path} exists already", advice="name another output, or ask with overwrite=true")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent}")
        return path

    def _inside(self, name: str) -> Path:
        path = (self.allowed[0] / name).resolve()
        if not any(path.is_relative_to(folder) for folder in self.allowed):
            allowed = ", ".join(map(str, self.allowed))
            advice = "`cutgate mcp --folder FOLDER` allows another folder"
            raise CutgateError(f"{path} is outside {allowed}", advice=advice)
        return path
