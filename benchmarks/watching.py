"""A command watched from outside: time, memory and bytes, of the whole and of each stage that it reports."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_STAGE = re.compile(r"^\d\d:\d\d:\d\d  (\S+)\s+done\s+([\d.]+) s")
_POLL_SECONDS = 0.1
_SPILL_EACH = 5
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class CommandFailed(Exception):
    """A watched command ended badly; the message has its last lines."""


@dataclass(frozen=True)
class Stage:
    """One stage, from the end of the one before to its own.

    Attributes:
        name: as the command calls it.
        seconds: as the command says.
        peak_bytes: the highest resident set that a look each tenth of a second saw.
        read_bytes, written_bytes: what went through read and write calls, the page cache included.
        rows: that the stage has made or looked at; None where nobody counted.
    """

    name: str
    seconds: float
    peak_bytes: int
    read_bytes: int
    written_bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class Watched:
    """What a command came to.

    Attributes:
        seconds: from its start to its end.
        cpu_seconds: user and system, of all its processes.
        peak_bytes: its highest resident set, by the kernel's account.
        spill_bytes: the most that lay in the folders for what does not fit in memory.
        stages: those it has reported.
        output: what it wrote to its standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    spill_bytes: int
    stages: tuple[Stage, ...]
    output: str


@dataclass(frozen=True)
class _Sample:
    at: float
    resident_bytes: int
    read_bytes: int
    written_bytes: int


class _Sampler(threading.Thread):
    """Looks at a process until it has gone."""

    def __init__(self, pid: int, spill: Sequence[Path]) -> None:
        super().__init__(daemon=True)
        self.samples = [_Sample(0.0, 0, 0, 0)]
        self.most_spilled = 0
        self._process = Path("/proc", str(pid))
        self._spill = spill
        self._over = threading.Event()

    def run(self) -> None:
        looks = 0
        while not self._over.wait(_POLL_SECONDS):
            try:
                self.samples.append(self._look())
            except (FileNotFoundError, ProcessLookupError):
                return
            if looks % _SPILL_EACH == 0:
                self.most_spilled = max(self.most_spilled, sum(map(folder_bytes, self._spill_folders())))
            looks += 1

    def stop(self) -> None:
        self._over.set()
        self.join()

    def stage(self, name: str, seconds: float, start: float) -> Stage:
        """The stage that has ended just now."""
        before = [each for each in self.samples if each.at <= start][-1]
        during = [each for each in self.samples if each.at > start] or [before]
        return Stage(
            name,
            seconds,
            max(each.resident_bytes for each in during),
            during[-1].read_bytes - before.read_bytes,
            during[-1].written_bytes - before.written_bytes,
        )

    def _look(self) -> _Sample:
        pages = int((self._process / "statm").read_text(encoding="ascii").split()[1])
        counted = dict(
            line.split(": ") for line in (self._process / "io").read_text(encoding="ascii").splitlines()
        )
        return _Sample(time.monotonic(), pages * _PAGE_BYTES, int(counted["rchar"]), int(counted["wchar"]))

    def _spill_folders(self) -> Iterable[Path]:
        for pattern in self._spill:
            yield from pattern.parent.glob(pattern.name)


def watch(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, spill: Sequence[Path] = ()
) -> Watched:
    """Runs a command to its end.

    Args:
        command: what to run.
        environment: its whole environment.
        log: gets what it writes to its standard error; its standard output stands beside, as `.out`.
        spill: folders, the last part a pattern, into which it spills.

    Raises:
        CommandFailed: it ended with another status than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    output = log.with_suffix(".out")
    start = time.monotonic()
    with output.open("wb") as out, log.open("w", encoding="utf-8") as err:
        process = subprocess.Popen(
            command, env=dict(environment), stdout=out, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        sampler = _Sampler(process.pid, spill)
        sampler.start()
        stages, stage_start = [], start
        assert process.stderr is not None
        try:
            for line in process.stderr:
                err.write(line)
                if found := _STAGE.match(line):
                    stages.append(sampler.stage(found[1], float(found[2]), stage_start))
                    stage_start = time.monotonic()
        except BaseException:
            process.kill()
            raise
        finally:
            process.stderr.close()
        # Not `wait`: only this call says what the process has used.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.stop()
    if process.returncode:
        said = (log.read_text(encoding="utf-8") + output.read_text(encoding="utf-8")).splitlines()
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}:\n" + "\n".join(said[-30:]))
    return Watched(
        seconds=round(seconds, 2),
        cpu_seconds=round(used.ru_utime + used.ru_stime, 2),
        peak_bytes=used.ru_maxrss * 1024,
        spill_bytes=sampler.most_spilled,
        stages=tuple(stages),
        output=output.read_text(encoding="utf-8"),
    )


def folder_bytes(folder: Path) -> int:
    """What the files below a folder take on the disk; 0 for none."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512  # noqa: PTH118 - each half second
            except FileNotFoundError:  # it was removed between the two looks
                continue
    return total
