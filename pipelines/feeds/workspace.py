"""A DuckDB of its own for the extraction, at a bound of its own: what does not fit lies on the disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

DEFAULT_MEMORY_LIMIT = "1GB"


@contextmanager
def open_workspace(
    scratch_dir: Path, *, memory_limit: str = DEFAULT_MEMORY_LIMIT, threads: int = 2
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty database in memory, for `extract_feed`.

    The process holds more than the limit: the file's buffers, the allocator's reserve and Python itself. With
    1 GB, `benchmarks/extract_memory.py` shows what it comes to.

    Args:
        scratch_dir: the folder in which DuckDB's own folder for what does not fit is made, and removed at the
            end.
        memory_limit: DuckDB's, such as "1GB".
        threads: DuckDB's; each holds buffers of its own.
    """
    scratch_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="duckdb-extract-", dir=scratch_dir) as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": str(threads),
            "temp_directory": folder,
            "autoinstall_known_extensions": "false",
            # Rows carry their line; the reader asks for the order where it needs it.
            "preserve_insertion_order": "false",
        }
        with duckdb.connect(config=config) as con:
            con.execute("set global TimeZone = 'UTC'")
            yield con


def remove_leftovers(scratch_dir: Path) -> list[Path]:
    """Removes what killed extractions have left: customers' data do not stay in a scratch folder.

    Only the process that owns the data home may call this: another one's folder would look the same.
    """
    leftovers = [
        folder for prefix in ("duckdb-extract-", "feed-") for folder in sorted(scratch_dir.glob(f"{prefix}*"))
    ]
    for folder in leftovers:
        shutil.rmtree(folder)
    return leftovers
