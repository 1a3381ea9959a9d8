"""The harm that is done: runs killed, stored files torn, disks that are full, two runs at once."""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from checks.faults.trial import (
    Count,
    Undisturbed,
    ending,
    half_written,
    here,
    refusal,
    start,
    table,
    told,
    unfinished,
)
from simdyn.study.run import DAMAGED

KILLS_IN_A_ROW = 5  # of one study, before it is let to its end
LONG_AGO = 1e9  # a time of change that `simdyn clean` takes for that of a run long dead

WAYS = {
    "emptied": lambda data, other: b"",
    "cut in half": lambda data, other: data[: len(data) // 2],
    "one byte flipped": lambda data, other: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "replaced by another": lambda data, other: other,
}


def kills(whole: Undisturbed, work: Path, number: int, seed: int, until: float = float("inf")) -> Count:
    """Runs killed at random times and started again; at the end all must be as if nothing had been.

    No new study begins after `until` (of time.monotonic).
    """
    count, draw, left = Count("killed runs"), random.Random(seed), 0
    studies = 0
    while count.tried < number and time.monotonic() < until:
        place, troubles, struck = work / f"kills-{studies}", [], 0
        for _ in range(min(KILLS_IN_A_ROW, number - count.tried)):
            if not _killed(whole, place, draw.uniform(0.0, whole.seconds)):
                break  # it ended before
            struck += 1
            troubles += half_written(place)
        troubles += told(start(whole.study, whole.cache, place)) + table(whole, place)
        left += len(leftovers := unfinished(place))
        for path in leftovers:
            os.utime(path, (LONG_AGO, LONG_AGO))
        here("clean", whole.study, place)
        troubles += [f"{path.name} is left by simdyn clean" for path in unfinished(place)]
        count.add(f"seed {seed}, study {studies} after {struck} kills", troubles, struck)
        shutil.rmtree(place)
        studies += 1
    count.notes.append(
        f"{studies} studies; {left} unfinished files were left by the kills, and deleted by `simdyn clean`"
    )
    return count


def _killed(whole: Undisturbed, place: Path, after: float) -> bool:
    """Whether a run was killed, with all its processes, so many seconds after its start; it may end before."""
    process = start(whole.study, whole.cache, place)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return process.returncode < 0


def torn_results(whole: Undisturbed, work: Path, every: int = 1) -> Count:
    """Each stored file of results (or every so many-th), torn in each way: `show` and `run` afterwards."""
    count, place = Count("torn results"), work / "torn"
    files = sorted(path for path in (whole.place / "results").rglob("*") if path.is_file())
    for number, file in list(enumerate(files))[::every]:
        for way in WAYS:
            shutil.copytree(whole.place, place, dirs_exist_ok=True)
            _tear(place / file.relative_to(whole.place), way, files[number - 1])
            shown = here("show", whole.study, place)
            troubles = _shown(whole, shown.exit_code, shown.stdout, shown.stderr)
            done = here("run", whole.study, place)
            troubles += ending(done.exit_code, done.stderr) + table(whole, place)
            again = here("show", whole.study, place)
            troubles += [] if again.stdout == whole.shown else ["show says something else after the run"]
            count.add(f"{file.relative_to(whole.place)} {way}", troubles)
            shutil.rmtree(place)
    return count


def _tear(path: Path, way: str, other: Path) -> None:
    path.write_bytes(WAYS[way](path.read_bytes(), other.read_bytes()))


def _shown(whole: Undisturbed, code: int, out: str, err: str) -> list[str]:
    """What is wrong with what `show` says of torn files: the same, a line of refusal, or undecided because of damage."""
    if code:
        return refusal(code, err)
    undecided = "UNDECIDED" in out and DAMAGED in " ".join(out.split())
    return ending(code, err) + ([] if out == whole.shown or undecided else ["show says something else"])


def torn_kernels(whole: Undisturbed, work: Path, ways: tuple[str, ...] = tuple(WAYS)) -> Count:
    """The kernel cache torn: all files at once, and one at a time where they are replaced by one another."""
    count, cache = Count("torn kernels"), work / "torn-cache"
    files = sorted(path for path in whole.cache.rglob("*.nbc"))
    for way in ways:
        for torn in [[number] for number in range(len(files))] if "replaced" in way else [list(range(len(files)))]:
            shutil.copytree(whole.cache, cache)
            for number in torn:
                _tear(cache / files[number].relative_to(whole.cache), way, files[number - 1])
            troubles = told(start(whole.study, cache, work / "torn")) + table(whole, work / "torn")
            name = files[torn[0]].name if len(torn) == 1 else f"all {len(torn)} files"
            count.add(f"{name} {way}", troubles, len(torn))
            shutil.rmtree(cache)
            shutil.rmtree(work / "torn", ignore_errors=True)
    return count


def full_disk(whole: Undisturbed, work: Path, times: int, seed: int) -> Count:
    """Runs whose files may not grow beyond some size, or whose disk is full, at the start or at a random time."""
    count, draw = Count("full disk"), random.Random(seed)
    for size in (0, 200, 1_000, 3_000, 10_000, 40_000):
        place = work / f"limit-{size}"
        process = start(whole.study, whole.cache, place, lambda: _limit(size))  # noqa: B023
        count.add(f"files of at most {size} bytes", _full(whole, place, process, must=True))
        shutil.rmtree(place)
    disk = work / "disk"
    for attempt in range(times + 1):
        with _small_disk(disk, "8m" if attempt == 0 else "24m") as mounted:
            if not mounted:
                count.notes.append(
                    "a small disk could not be mounted here, which needs root: only limits of size were tried"
                )
                break
            process = start(whole.study, whole.cache, disk)
            after = draw.uniform(0.0, whole.seconds)
            if attempt:
                time.sleep(after)
                _fill(disk / "filler")
            told_so = f"disk full after {after:.2f} s" if attempt else "disk too small at the start"
            count.add(told_so, _full(whole, disk, process, must=attempt == 0, grow=disk))
    return count


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _full(
    whole: Undisturbed, place: Path, process: subprocess.Popen, must: bool = False, grow: Path | None = None
) -> list[str]:
    """What is wrong with a run without room, and with the run with room that follows."""
    _, err = process.communicate()
    complete = process.returncode == 0 and not must
    wrong = (ending(0, err) + table(whole, place)) if complete else refusal(process.returncode, err)
    wrong += half_written(place) + [f"{path.name} is left" for path in unfinished(place)]
    if grow is not None:
        (grow / "filler").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=100m", str(grow)], check=True)
    return wrong + told(start(whole.study, whole.cache, place)) + table(whole, place)


@contextlib.contextmanager
def _small_disk(disk: Path, size: str) -> Iterator[bool]:
    disk.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def two_at_once(whole: Undisturbed, work: Path, times: int) -> Count:
    """The same study into the same folders by two runs that start together."""
    count = Count("two runs at once")
    for number in range(times):
        place = work / f"two-{number}"
        both = [start(whole.study, whole.cache, place) for _ in range(2)]
        troubles = (
            [trouble for process in both for trouble in told(process)] + table(whole, place) + half_written(place)
        )
        count.add(f"time {number}", troubles + [f"{path.name} is left" for path in unfinished(place)])
        shutil.rmtree(place)
    return count
