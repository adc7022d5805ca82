"""Text in other encodings, and bytes that are of none: lines are set aside, never files."""

import gzip
import json

import pytest
from feed_shop import Shop


@pytest.mark.parametrize(
    "encoding", ["gb18030", "gbk", "utf-16", "utf-16-le", "shift_jis", "big5", "utf-8-sig"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_in_another_encoding_gives_the_same_rows(shop: Shop, encoding: str, packed: bool) -> None:
    content = 'id,amount\r\n王,1\r\n"山, ""川""",2\r\n'.encode(encoding)
    name = "sales.csv.gz" if packed else "sales.csv"
    shop.write(name, gzip.compress(content) if packed else content)
    shop.extract(name, source={"encoding": encoding})
    assert shop.rows("sale_id, amount::integer, _line") == [("王", 1, 1), ('山, "川"', 2, 2)]
    assert list((shop.folder / "scratch").iterdir()) == []


@pytest.mark.parametrize("name", ["sales.jsonl", "sales.tsv"])
def test_every_text_format_may_have_an_encoding(shop: Shop, name: str) -> None:
    text = '{"id": "王", "amount": 1}\n' if name.endswith("jsonl") else "id\tamount\n王\t1\n"
    shop.write(name, text.encode("gb18030"))
    shop.extract(name, source={"encoding": "GB18030"})
    assert shop.rows("sale_id, amount::integer") == [("王", 1)]


@pytest.mark.parametrize(("encoding", "good"), [("gb18030", "王"), ("utf-8", "王"), ("gbk", "王")])
def test_a_line_with_wrong_bytes_is_set_aside_with_its_text(shop: Shop, encoding: str, good: str) -> None:
    lines = [
        b"id,amount",
        f"{good}1,1".encode(encoding),
        b"a\xff\xff,2",
        b'"c\nd",3',
        b"e,4,5",
        b"f\xff,6,7",
        b"g,8",
    ]
    ingestion = shop.extract_csv(b"\n".join(lines) + b"\n", source={"encoding": encoding})
    assert ingestion.quarantined_by_reason == {"unreadable_line": 3}
    assert ingestion.rows_read == 6
    assert shop.rows("sale_id, _line") == [(f"{good}1", 1), ("c\nd", 3), ("g", 6)]
    found = [(line, json.loads(original)) for line, original in shop.quarantine("_line, original")]
    problem = f"bytes that are not {encoding}"
    assert found == [
        (2, {"line": "a\\xff\\xff,2", "problem": problem}),
        (4, {"line": "e,4,5", "problem": "too many columns"}),
        (5, {"line": "f\\xff,6,7", "problem": problem}),
    ]
    assert list((shop.folder / "scratch").iterdir()) == []


def test_a_json_line_with_wrong_bytes_or_a_control_character_is_set_aside(shop: Shop) -> None:
    shop.write(
        "sales.jsonl",
        b'{"id": "a", "amount": 1}\n{"id": "\xff", "amount": 1}\n\n{"id": "x\x01"}\n'
        b'{"id": "b", "amount": 2}\n',
    )
    (ingestion,) = shop.extract("sales.jsonl")
    assert ingestion.quarantined_by_reason == {"unreadable_line": 2}
    assert shop.rows("sale_id, _line") == [("a", 1), ("b", 5)]
    assert [line for (line,) in shop.quarantine("_line")] == [2, 4]


def test_many_wrong_lines_do_not_shift_the_others(shop: Shop) -> None:
    numbers = range(1, 12_001)
    is_wrong = {number for number in numbers if number % 7 == 0 or 3000 < number < 6000 or number == 1}
    lines = ["id,amount", *(f"{number},1" + (",x" if number in is_wrong else "") for number in numbers)]
    ingestion = shop.extract_csv("\n".join(lines) + "\n")
    assert ingestion.quarantined_by_reason == {"unreadable_line": len(is_wrong)}
    assert shop.rows("sale_id::integer, _line") == [
        (number, number) for number in numbers if number not in is_wrong
    ]


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", ""])
def test_an_unknown_encoding_is_refused(shop: Shop, encoding: str) -> None:
    with pytest.raises(
        ValueError, match="not a text encoding; accepted: names such as utf-8, utf-16, gb18030"
    ):
        shop.extract_csv("id,amount\n", source={"encoding": encoding})
