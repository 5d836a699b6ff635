"""The folders that an assistant may read and write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cutgate.errors import CutgateError


class OutsideFolders(CutgateError):
    """A path leads out of the folders that the server was started for."""

    def __init__(self, path: Path, folders: Sequence[Path]) -> None:
        allowed = ", ".join(map(str, folders))
        super().__init__(
            f"{path} is outside {allowed}", advice="`cutgate mcp --folder FOLDER` allows another folder"
        )
        self.path = path


class FileExists(CutgateError):
    """The file to write is there already."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already", advice="name another output, or ask with overwrite=true")
        self.path = path


@dataclass(frozen=True, slots=True)
class Folders:
    """Resolved folders; relative paths start at the first one."""

    allowed: tuple[Path, ...]

    def to_read(self, name: str) -> Path:
        """Path of a picture, symbolic links followed.

        Raises:
            OutsideFolders: it leads out of the folders.
            FileNotFoundError: there is no such file.
        """
        path = self._inside(name)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return path

    def to_write(self, name: str, source: Path, *, overwrite: bool) -> Path:
        """Path of a result.

        Raises:
            OutsideFolders: it leads out of the folders.
            FileExists: it is the source, or there and not to be overwritten.
            FileNotFoundError: its folder is missing.
        """
        path = self._inside(name)
        if path == source or (path.exists() and not overwrite):
            raise FileExists(path)
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent}")
        return path

    def _inside(self, name: str) -> Path:
        path = (self.allowed[0] / name).resolve()
        if not any(path.is_relative_to(folder) for folder in self.allowed):
            raise OutsideFolders(path, self.allowed)
        return path
