"""An error from below gets the remedy that people can act on, and any other error none."""

import pytest

from pipelines.remedies import remedy_for


@pytest.mark.parametrize(
    ("message", "begins"),
    [
        ("[Errno 28] No space left on device: '/data/x'", "The disk is full"),
        ("IO Error: Could not write all bytes to file", "The disk is full"),
        ('IO Error: Could not write file "x": File too large', "The disk is full"),
        ("(sqlite3.OperationalError) disk I/O error", "The disk is full"),
        ("IO Error: Corrupt database file: computed checksum 1 does not match stored", "A database file"),
        ("Invalid Input Error: No magic bytes found at end of file 'rows.parquet'", "A file of the lake"),
        ("Runtime Error in model: ZSTD Decompression failure", "A file of the lake"),
        ("Out of Memory Error: failed to allocate data of size 64.0 KiB", "Memory is short"),
    ],
)
def test_what_comes_from_below_has_a_remedy(message: str, begins: str) -> None:
    assert (remedy_for(message) or "").startswith(begins)


@pytest.mark.parametrize(
    "message", ["feeds.products.source: the file a.csv does not exist", "gate_raw failed: 3 rows", ""]
)
def test_what_speaks_for_itself_has_none(message: str) -> None:
    assert remedy_for(message) is None
