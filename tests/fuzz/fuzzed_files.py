"""Files as nobody should send them: made of sound rows, then spoilt in one way or several.

What `files` draws is a `FuzzedFile`: its bytes, how the profile says that it is to be read, and how many rows
it must account for where it was not spoilt.
"""

import csv
import gzip
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from hypothesis import strategies as st

COLUMNS = ("receipt", "line", "member", "sold", "product", "quantity", "amount")
"""The columns of a sound file; `BINDING` maps them."""

BINDING: dict[str, Any] = {
    "columns": {
        "receipt_id": "receipt",
        "line_no": "line",
        "member_id": "member",
        "sold_at": "sold",
        "product_id": "product",
        "quantity": "quantity",
        "amount": "amount",
    },
    "reject": [{"when": "quantity = '0'", "reason": "zero_quantity"}],
}

NASTY = (
    "",
    " ",
    "null",
    "NULL",
    "nan",
    "-inf",
    "1e999",
    "9" * 400,
    "-0",
    "0x10",
    "1_000",
    "٣",
    "'; drop table winback_feed_rows; --",
    "\"); attach '/tmp/x.db' as x; --",
    "${HOME}",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "a\x00b",
    "\ufeff",
    "\u202e\u0000",
    "\ufdd0ff",
    "\U0001f9d1\u200d\U0001f680",
    "王芳",
    "a\tb",
    'quo"te',
    "comma, semi; pipe|",
    "new\nline",
    "carriage\rreturn",
    "x" * 70_000,
    "0000-00-00",
    "9999-12-31 23:59:60",
    "294247-01-10 04:00:54.775807",
    "2024-02-30",
    "2024-03-31 02:30:00",
    "2024-01-01T00:00:00+99:99",
    "infinity",
    "epoch",
)
HEADERS = (
    "receipt",
    "RECEIPT",
    "",
    " ",
    "_line",
    "_row",
    "mapped",
    "source",
    "select",
    'na"me',
    "na'me",
    "a;b",
    "a\x00b",
    "表头",
    "x" * 5_000,
    "rowid",
    "*",
    "line\nbreak",
)
TEXT = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))


@dataclass(frozen=True)
class FuzzedFile:
    """A file and how the profile says that it is to be read.

    Attributes:
        name: of the file.
        content: its bytes.
        source: settings of the source.
        rows: how many rows it must account for; None where it was spoilt, and nobody can say.
    """

    name: str
    content: bytes
    source: dict[str, Any]
    rows: int | None

    def __repr__(self) -> str:
        shown = self.content if len(self.content) < 400 else self.content[:400] + b"..."
        return f"{self.name} ({len(self.content)} bytes, {self.source}, rows={self.rows}): {shown!r}"


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A few sound rows, of which a few values are replaced by nasty ones."""
    size = draw(st.integers(0, 6))
    rows = [
        [f"R{row % 4}", str(row), f"M{row}", f"2024-05-{row + 1:02} 10:00:00", "P1", str(row % 3), "9.90"]
        for row in range(size)
    ]
    if size:
        places = st.tuples(st.integers(0, size - 1), st.integers(0, len(COLUMNS) - 1), TEXT)
        for row, column, value in draw(st.lists(places, max_size=5)):
            rows[row][column] = value
    return rows


@st.composite
def headers(draw: st.DrawFn) -> list[str]:
    """The sound header, or one that is not."""
    header = list(COLUMNS)
    for place, name in draw(
        st.one_of(
            st.just([]),
            st.just([]),
            st.just([]),
            st.lists(st.tuples(st.integers(0, len(COLUMNS)), st.sampled_from(HEADERS)), max_size=3),
        )
    ):
        if place < len(COLUMNS):
            header[place] = name
        else:
            header.append(name)
    return header


@st.composite
def csv_files(draw: st.DrawFn) -> FuzzedFile:
    """CSV and TSV, with quotes, delimiters, line ends and encodings as they come."""
    suffix = draw(st.sampled_from(["csv", "tsv"]))
    delimiter = "\t" if suffix == "tsv" else ","
    source: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        delimiter = source["delimiter"] = draw(st.sampled_from([";", "|", "\t", ",", "§", " "]))
    encoding = draw(st.sampled_from(["utf-8"] * 4 + ["gb18030", "utf-16", "latin-1", "big5"]))
    if encoding != "utf-8":
        source["encoding"] = encoding
    header, rows = draw(headers()), draw(tables())
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(header)
    for row in rows:
        writer.writerow([*row, *[""] * (len(header) - len(row))])
    content = text.getvalue().encode(encoding, "replace")
    if encoding == "utf-8" and draw(st.booleans()):
        content = b"\xef\xbb\xbf" + content
    # A carriage return within quotes, a NUL or a mark may well make a line unreadable: it is counted as one.
    counted = len(rows) if header == list(COLUMNS) and _is_plain(rows) else None
    return FuzzedFile(f"sales.{suffix}", content, source, counted)


def _is_plain(rows: list[list[str]]) -> bool:
    return not any(mark in value for row in rows for value in row for mark in "\r\n\x00\ufdd0\ufeff")


@st.composite
def jsonl_files(draw: st.DrawFn) -> FuzzedFile:
    """JSON lines with keys that come and go, nested values, and lines that are no JSON."""
    header, rows = draw(headers()), draw(tables())
    lines = []
    for row in rows:
        record: dict[str, Any] = dict(zip(header, row, strict=False))
        if draw(st.integers(0, 4)) == 0:
            record[draw(TEXT)] = draw(
                st.one_of(st.none(), st.floats(), st.lists(st.integers(), max_size=3), st.booleans())
            )
        lines.append(json.dumps(record, ensure_ascii=draw(st.booleans())))
    for _ in range(draw(st.integers(0, 2))):
        depth = draw(st.sampled_from([1, 50, 5_000]))
        lines.append(
            draw(st.sampled_from(["[]", "1", "{", '{"a": ' * depth + "1" + "}" * depth, "[" * depth]))
        )
    text = "\n".join(lines) + "\n"
    return FuzzedFile("sales.jsonl", text.encode("utf-8", "surrogatepass"), {}, None)


@st.composite
def parquet_files(draw: st.DrawFn) -> FuzzedFile:
    """Parquet with types that nobody foresaw."""
    header, rows = draw(headers()), draw(tables())
    arrays = [
        pa.array([row[place] if place < len(row) else None for row in rows], pa.string())
        for place in range(len(header))
    ]
    for place in draw(st.lists(st.integers(0, len(header) - 1), max_size=3, unique=True)):
        arrays[place] = draw(odd_arrays(len(rows)))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=header), sink)
    return FuzzedFile("sales.parquet", sink.getvalue(), {}, None)


@st.composite
def odd_arrays(draw: st.DrawFn, size: int) -> pa.Array:
    """Values of a type that the column is not expected to have."""
    kinds: dict[pa.DataType, st.SearchStrategy[Any]] = {
        pa.float64(): st.floats(),
        pa.int64(): st.integers(-(2**63), 2**63 - 1),
        pa.bool_(): st.booleans(),
        pa.binary(): st.binary(max_size=8),
        pa.date32(): st.dates(),
        pa.timestamp("us"): st.datetimes(),
        pa.timestamp("ns", "UTC"): st.integers(-(10**9), 10**9).map(
            lambda second: datetime.fromtimestamp(second, UTC)
        ),
        pa.time64("us"): st.times(),
        pa.decimal128(38, 10): st.decimals(-(10**20), 10**20, places=10),
        pa.list_(pa.int32()): st.lists(st.integers(0, 9), max_size=2),
        pa.struct([("a", pa.int32())]): st.fixed_dictionaries({"a": st.integers(0, 9)}),
        pa.null(): st.none(),
    }
    kind = draw(st.sampled_from(list(kinds)))
    values = st.one_of(st.none(), kinds[kind])
    return pa.array(draw(st.lists(values, min_size=size, max_size=size)), kind)


@st.composite
def xlsx_files(draw: st.DrawFn) -> FuzzedFile:
    """Workbooks: several sheets, empty ones, cells of any type."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "strings_to_urls": False}) as book:
        # Else the time of writing, and the same draw would be other bytes.
        book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001
        for _ in range(draw(st.integers(1, 2))):
            sheet = book.add_worksheet()
            header, rows = draw(headers()), draw(tables())
            if draw(st.integers(0, 5)) == 0:
                continue
            for place, name in enumerate(header):
                sheet.write_string(0, place, name[:32_000])
            for line, row in enumerate(rows, 1):
                for place, value in enumerate(row):
                    if draw(st.integers(0, 9)) == 0:
                        sheet.write_number(
                            line, place, draw(st.floats(allow_nan=False, allow_infinity=False))
                        )
                    else:
                        sheet.write_string(line, place, value[:32_000])
    return FuzzedFile("sales.xlsx", target.getvalue(), {}, None)


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes cut off, flipped, repeated, or with others among them."""
    for _ in range(draw(st.integers(1, 3))):
        if not content:
            break
        place = draw(st.integers(0, len(content) - 1))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(["cut", "flip", "delete", "insert", "repeat"])):
            case "cut":
                content = content[:place]
            case "flip":
                content = (
                    content[:place]
                    + bytes([content[place] ^ draw(st.integers(1, 255))])
                    + content[place + 1 :]
                )
            case "delete":
                content = content[:place] + content[place + length :]
            case "insert":
                content = content[:place] + draw(st.binary(max_size=12)) + content[place:]
            case "repeat":
                content = content[: place + length] + content[place:]
    return content


def _rezipped(content: bytes, member: int, changed: bytes) -> bytes:
    """A workbook with one member's text replaced: a sound archive around a spoilt sheet."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for number, info in enumerate(old.infolist()):
            new.writestr(info, changed if number == member else old.read(info))
    return target.getvalue()


@st.composite
def files(draw: st.DrawFn) -> FuzzedFile:
    """A file of any format, sound or spoilt, packed or not; and now and then random bytes under its name."""
    file = draw(st.one_of(csv_files(), csv_files(), jsonl_files(), parquet_files(), xlsx_files()))
    content, rows, name, source = file.content, file.rows, file.name, dict(file.source)
    match draw(st.sampled_from(["sound"] * 5 + ["spoilt"] * 4 + ["random"])):
        case "spoilt":
            rows = None
            if name.endswith("xlsx") and draw(st.booleans()):
                with zipfile.ZipFile(io.BytesIO(content)) as book:
                    member = draw(st.integers(0, len(book.infolist()) - 1))
                    inner = book.read(book.infolist()[member])
                content = _rezipped(content, member, draw(spoilt(inner)))
            else:
                content = draw(spoilt(content))
        case "random":
            rows = None
            content = draw(st.binary(max_size=400))
    if not name.endswith(("parquet", "xlsx")) and draw(st.integers(0, 3)) == 0:
        content = gzip.compress(content, mtime=0)
        name += ".gz"
        if draw(st.integers(0, 2)) == 0:
            rows = None
            content = draw(spoilt(content))
    if not name.endswith("gz") and draw(st.integers(0, 30)) == 0:
        # Under another format's name.
        rows = None
        source = {"format": draw(st.sampled_from(["csv", "tsv", "jsonl", "parquet", "xlsx"]))}
    return FuzzedFile(name, content, source, rows)
