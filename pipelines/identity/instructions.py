"""What people have decided about accounts: the instruction file.

`identity_instructions.csv` in the data home has one row per decision:

    instruction,account_a,account_b,decided_by,decided_on,note
    split,ecommerce:A1,pos:M7,anna,2025-03-02,mother and daughter
    merge,ecommerce:A1,ecommerce:A9,anna,2025-03-02,same person; confirmed by phone

Accounts are written as `<source>:<account key>`, as core.customer_account has them. A split keeps two
accounts apart for ever, whatever they share by then; a merge joins them. Taking a row out takes the decision
back. Each version of the file that a run has used is kept in the lake, and the newest of them counts where
the file is missing: a rebuild from the lake alone replays it.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from pipelines.feeds.errors import ConfigError

INSTRUCTION_COLUMNS = ("instruction", "account_a", "account_b", "decided_by", "decided_on", "note")
SOURCES = ("ecommerce", "pos", "service", "social")


@dataclass(frozen=True)
class Instruction:
    """A decision about two accounts, in the order of their ids."""

    kind: Literal["merge", "split"]
    account_a: str
    account_b: str


def current_instructions(file: Path, kept_dir: Path) -> list[Instruction]:
    """The instructions that count now; a version of the file that is new is kept.

    Args:
        file: `identity_instructions.csv` of the data home; may be missing.
        kept_dir: folder of the lake with the versions that runs have used.

    Raises:
        ConfigError: the file breaks a rule; file, row, column and what is accepted are named.
    """
    versions = sorted(kept_dir.glob("*.csv")) if kept_dir.is_dir() else []
    newest = versions[-1] if versions else None
    if not file.is_file():
        return [] if newest is None else read_instructions(newest)
    instructions = read_instructions(file)
    content = file.read_bytes()
    if newest is None or newest.read_bytes() != content:
        kept_dir.mkdir(parents=True, exist_ok=True)
        version = kept_dir / f"{len(versions) + 1:06d}.csv"
        temporary = version.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(version)
    return instructions


def read_instructions(file: Path) -> list[Instruction]:
    """The instructions of a file, each once.

    Raises:
        ConfigError: as above.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    rows = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = [name.strip() for name in rows.fieldnames or ()]
        missing = [name for name in INSTRUCTION_COLUMNS[:3] if name not in names]
        unknown = [name for name in names if name not in INSTRUCTION_COLUMNS]
        if missing or unknown:
            raise ConfigError(
                f"{file}: header {', '.join(names) or '(none)'}: accepted columns: "
                f"{', '.join(INSTRUCTION_COLUMNS)}; the first three are needed"
            )
        rows.fieldnames = names
        found = [_instruction(file, rows.line_num, row) for row in rows]
    except csv.Error as error:
        raise ConfigError(f"{file}: row {rows.line_num}: is not valid CSV: {error}") from error
    _refuse_contradictions(file, found)
    return sorted(set(found), key=lambda each: (each.kind, each.account_a, each.account_b))


def _instruction(file: Path, line: int, row: dict[str, str]) -> Instruction:
    where = f"{file}: row {line}"
    if None in row or None in row.values():
        raise ConfigError(f"{where}: has not as many cells as the header; a cell with a comma needs quotes")
    kind = row["instruction"].strip().lower()
    if kind not in ("merge", "split"):
        raise ConfigError(f"{where}: instruction: {row['instruction']!r}: accepted: merge, split")
    accounts = [_account(where, column, row[column]) for column in ("account_a", "account_b")]
    if accounts[0] == accounts[1]:
        raise ConfigError(f"{where}: account_b: {accounts[1]!r} is account_a; two accounts are needed")
    day = (row.get("decided_on") or "").strip()
    try:
        date.fromisoformat(day or "2000-01-01")
    except ValueError:
        raise ConfigError(f"{where}: decided_on: {day!r}: accepted: a date such as 2025-03-31") from None
    first, second = sorted(accounts)
    return Instruction("merge" if kind == "merge" else "split", first, second)


def _account(where: str, column: str, value: str) -> str:
    source, colon, key = value.strip().partition(":")
    if source not in SOURCES or not colon or not key.strip():
        raise ConfigError(
            f"{where}: {column}: {value!r}: accepted: <source>:<account key>, the source one of "
            f"{', '.join(SOURCES)}"
        )
    return f"{source}:{key.strip()}"


def _refuse_contradictions(file: Path, instructions: Sequence[Instruction]) -> None:
    """Refuses a split of two accounts that merges bring together, be it through others."""
    merged: dict[str, set[str]] = {}
    for each in instructions:
        if each.kind == "merge":
            together = merged.get(each.account_a, {each.account_a}) | merged.get(each.account_b, {each.account_b})
            merged.update(dict.fromkeys(together, together))
    for each in instructions:
        if each.kind == "split" and each.account_b in merged.get(each.account_a, set()):
            raise ConfigError(
                f"{file}: {each.account_a} and {each.account_b} are to be split, but merges make them one; "
                "take a row out"
            )
