"""Databases as sources: one read-only snapshot of a table or query, as text, in a Parquet file.

`reading` has what all databases share: chunks, cursor, retries. `postgres` and `mysql` have what differs: how
to connect, to quote, to read in a stream, and what an error means. From the Parquet file on, rows go the way
of a file's rows.
"""

from pipelines.feeds.databases.reading import Snapshot, read_database

__all__ = ["Snapshot", "read_database"]
