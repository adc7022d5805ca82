"""How much memory the extraction of one large CSV takes: `python benchmarks/extract_memory.py --gigabytes 5`.

A CSV of receipt lines is written, of which one in a thousand is unreadable, one wrong and one repeated, and
taken in by a process of its own, of which the highest resident set (VmHWM) is read. Prints a table and a line
of JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

_BLOCK_LINES = 20_000
_SPECIAL = 1000


def write_csv(file: Path, size_bytes: int) -> int:
    """Writes receipt lines until the size is reached; returns how many."""
    lines = 0
    with file.open("w", encoding="utf-8") as out:
        out.write("receipt,line,member,sold,product,quantity,amount,note\n")
        while out.tell() < size_bytes:
            out.writelines(_block(lines))
            lines += _BLOCK_LINES
    return lines


def _block(first: int) -> Iterator[str]:
    for number in range(first, first + _BLOCK_LINES):
        day = f"2024-{number % 12 + 1:02d}-{number % 28 + 1:02d} {number % 24:02d}:{number % 60:02d}:00"
        text = (
            f"R{number // 8:010d},{number % 8},M{number * 7919 % 2_000_003:07d},{day},P{number % 5003:05d},"
            f"{number % 5 + 1},{number % 10_000 / 100:.2f},note {number * 2_654_435_761 % 2**32:010d}"
        )
        kind = number % _SPECIAL
        yield {0: f"{text},surplus\n", 1: f"{text}\n{text}\n", 2: text.replace(".", "!", 1) + "\n"}.get(
            kind, f"{text}\n"
        )


def extract(folder: Path, memory_limit: str, threads: int) -> dict[str, int]:
    """Takes the folder's CSV in; returns the ingestion's counts and this process's highest resident bytes."""
    from pipelines.feeds.binding import FeedBinding  # noqa: PLC0415
    from pipelines.feeds.contract import load_contracts  # noqa: PLC0415
    from pipelines.feeds.extract import extract_feed  # noqa: PLC0415
    from pipelines.feeds.lake import Lake  # noqa: PLC0415
    from pipelines.feeds.workspace import open_workspace  # noqa: PLC0415

    columns = {"receipt_id": "receipt", "line_no": "line", "member_id": "member", "sold_at": "sold"}
    columns |= {"product_id": "product", "quantity": "quantity", "amount": "amount", "coupon": "note"}
    binding = FeedBinding.model_validate(
        {"source": {"type": "file", "path": "sales.csv"}, "columns": columns}
    )
    with open_workspace(folder / "scratch", memory_limit=memory_limit, threads=threads) as con:
        (ingestion,) = extract_feed(
            con,
            load_contracts()["pos_sales"],
            binding,
            Lake(folder / "lake"),
            profile_file=Path("benchmark.yaml"),
            base_dir=folder,
            time_zone="Europe/London",
            scratch_dir=folder / "scratch",
            settle_seconds=0,
        ).ingestions
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {
        "rows_read": ingestion.rows_read,
        "rows_loaded": ingestion.rows_loaded,
        "rows_quarantined": ingestion.rows_quarantined,
        "rows_duplicate": ingestion.rows_duplicate,
        "peak_rss_bytes": int(peak.split()[1]) * 1024,
    }


def measure(
    gigabytes: float, memory_limit: str, threads: int, parent: Path | None = None
) -> dict[str, float]:
    """Writes a CSV of that size and takes it in in a process of its own."""
    with TemporaryDirectory(prefix="winback-benchmark-", dir=parent) as name:
        folder = Path(name)
        lines = write_csv(folder / "sales.csv", int(gigabytes * 1e9))
        size = (folder / "sales.csv").stat().st_size
        command = [sys.executable, __file__, "--child", name, "--memory-limit", memory_limit]
        start = time.monotonic()
        done = subprocess.run(
            [*command, "--threads", str(threads)], check=True, stdout=subprocess.PIPE, text=True
        )
        seconds = time.monotonic() - start
    return {"csv_bytes": size, "csv_lines": lines, "seconds": round(seconds, 1)} | json.loads(done.stdout)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--memory-limit", default="1GB", help="of the extraction's DuckDB")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--folder", type=Path, help="where the files are made; by default a temporary folder")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(extract(given.child, given.memory_limit, given.threads)))
        return
    found = measure(given.gigabytes, given.memory_limit, given.threads, given.folder)
    for key, value in found.items():
        print(f"{key:>18} {value:>18,}")
    print(json.dumps({"memory_limit": given.memory_limit, "threads": given.threads, **found}))


if __name__ == "__main__":
    main()
