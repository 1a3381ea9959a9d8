"""Where the studies are that a command is to work on."""

from collections.abc import Iterable
from pathlib import Path

from simdyn.model.records import InvalidInput
from simdyn.study.schema import StudyFile, read_study


def find_studies(paths: Iterable[Path]) -> dict[str, StudyFile]:
    """Study files by name from files and folders; raises InvalidInput for what is not there, not valid or named twice."""
    studies: dict[str, StudyFile] = {}
    for file in study_files(paths):
        if file.stem in studies:
            raise InvalidInput(f"{file}: another study is called {file.stem} too")
        studies[file.stem] = read_study(file)
    return studies


def study_files(paths: Iterable[Path]) -> list[Path]:
    """Files of studies from files and folders, each once; raises InvalidInput for what is not there."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix == ".toml")
            if not inside:
                raise InvalidInput(f"{path}: there is no study (*.toml) in this folder")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise InvalidInput(f"{path}: there is no such file or folder")
    return list({_resolved(file): file for file in files}.values())


def _resolved(file: Path) -> Path:
    try:
        return file.resolve(strict=True)
    except (OSError, RuntimeError):  # links in a circle, which Python tells in one way or the other
        raise InvalidInput(f"{file}: cannot be read: it is a link that leads nowhere") from None
