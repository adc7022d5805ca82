"""What to do about an error that comes from below: a full disk, a spoilt file, a lack of memory.

Such an error can come up in any step, in a library's words. What mends it is the same wherever it came up;
docs/runbook.md has a section for each.
"""

import re

_REMEDIES = (
    (
        r"no space left on device|disk quota exceeded|file too large|could not write all bytes|"
        r"disk i/o error|database or disk is full|max_temp_directory_size|failed to offload data",
        "The disk is full. Make room and run again: nothing half-written was kept (docs/runbook.md, Disk "
        "full).",
    ),
    (
        r"corrupt database file|not a valid duckdb database|failed to load metadata pointer|"
        r"computed checksum|serialization error.*(deserialize|expected)",
        "A database file is damaged. `winback verify` says which; `winback rebuild` makes the warehouse and "
        "the "
        "published copy anew from the lake (docs/runbook.md, Damaged warehouse).",
    ),
    (
        r"no magic bytes|too small to be a parquet|invalid input error.*parquet|parquet reader|"
        r"zstd decompression|thrift|tprotocolexception|dictionary.*out of range|malformed parquet",
        "A file of the lake may be damaged. `winback verify` names it and says what to do (docs/runbook.md, "
        "Damaged file in the lake).",
    ),
    (
        r"out of memory error|failed to allocate",
        "Memory is short: raise WINBACK_MEMORY_LIMIT, or lower WINBACK_THREADS (docs/runbook.md, Out of "
        "memory).",
    ),
)


def remedy_for(message: str) -> str | None:
    """What to do about an error with this message; None where the message must speak for itself.

    Example:
        >>> remedy_for("[Errno 28] No space left on device")[:17]
        'The disk is full.'
    """
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, message, re.IGNORECASE):
            return remedy
    return None
