"""Profiles as a person in a hurry writes them, or a merge conflict: sound ones, then spoilt."""

import copy
from typing import Any

import yaml
from fuzz_settings import SECRET_URL, SECRET_VARIABLE
from hypothesis import strategies as st

from pipelines.settings import PROFILES_DIR

PROFILE = f"""\
name: fuzzed
title: A shop
time_zone: Europe/Berlin
currency: EUR
region: DE
calendar: {{start_date: 2024-01-01, end_date: 2024-06-30}}
history_days: 35
dormancy: {{min_category_customers: 30, theta: tuned}}
rfm: {{high: {{recency: mean, frequency: 3, monetary: median}}}}
identity: {{max_accounts: {{phone: 4}}, placeholder_phones: ["13800000000"]}}
activation: {{link_base: "https://shop.example.com", ad_platforms: [meta, google], keep_exports_days: 30}}
measurement: {{window_days: {{email: 5}}, smallest_effect: {{net_margin: 0.5}}}}
feeds:
  products:
    source: {{type: file, path: landing/products/*.csv, encoding: gb18030, delimiter: ";"}}
    columns: {{product_id: sku, name: title}}
  pos_sales:
    source: {{type: file, path: [a.csv, b.csv.gz], null_values: [NULL], decimal_separator: ","}}
    also: {{shops: {{type: file, path: shops.csv}}}}
    query: select * from source join shops using (shop)
    columns: {{receipt_id: receipt, line_no: line, sold_at: sold, quantity: qty, amount: "x + 1"}}
    reject: [{{when: "qty = '0'", reason: zero_quantity}}]
    max_quarantine_share: 0.1
  ecommerce_orders:
    source:
      type: postgres
      url: ${{{SECRET_VARIABLE}}}
      table: sales.orders
      cursor: updated_at
      look_back: 3d
    columns: {{order_id: id, account_id: customer, ordered_at: created, status: state}}
"""

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    0.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x" * 10_000,
    "a\x01b",
    "王芳",
    "2024-02-30",
    "9999-12-31",
    "../../etc/passwd",
    "${NOT_SET}",
    "${",
    "package://os/../../etc/passwd",
    "{{ 7 * 7 }}",
    "'; drop table x; --",
    "Europe/Berlin\n",
    "/etc/localtime",
    "rot13",
    "base64",
    "idna",
    "undefined",
    "http://[",
    "https://shop.example.com:port/",
    [],
    {},
    [None],
    [[[]]],
    {"type": "file"},
    {"type": "mysql", "url": SECRET_URL},
    [{"url": SECRET_URL}],
    SECRET_URL,
)
KEYS = (
    "",
    " ",
    "name",
    "feeds",
    "type",
    "url",
    "file",
    "path",
    "urll",
    "__class__",
    "model_config",
    "1",
    "a.b",
)
TEXTS = (
    ":",
    " :",
    "\t",
    "\n",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a ",
    "*b",
    "!!python/object/apply:os.system [id]",
    "!!binary ",
    "!!timestamp ",
    "!!set ",
    "<<: ",
    "? ",
    "|",
    "'",
    '"',
    "#",
    "%YAML 9.9\n---\n",
    "---\n",
    "...\n",
    "\x00",
    "\ufeff",
    "\u2028",
    "0o777",
    "1:30:00",
    "=",
    "~",
    "name: again\n",
)
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [*{chr(97 + level)}, *{chr(97 + level)}]\n" for level in range(20)
)
"""Each line twice the one before: a million values in twenty lines."""


@st.composite
def profiles(draw: st.DrawFn) -> bytes:
    """A profile's bytes."""
    kind = draw(st.sampled_from(["values"] * 5 + ["text"] * 4 + ["shipped", "bytes", "bomb", "deep"]))
    if kind == "values":
        return yaml.dump(draw(changed(yaml.safe_load(PROFILE))), Dumper=yaml.CSafeDumper).encode()
    if kind == "bytes":
        return draw(st.binary(max_size=200))
    if kind == "bomb":
        return (BOMB + PROFILE).encode()
    if kind == "deep":
        depth = draw(st.sampled_from([10, 500, 20_000]))
        return f"{PROFILE}more: {'[' * depth}{']' * depth}\n".encode()
    text = PROFILE
    if kind == "shipped":
        text = draw(st.sampled_from(sorted(PROFILES_DIR.glob("*.yaml")))).read_text(encoding="utf-8")
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(text)))
        inserted = draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=6)))
        left_out = draw(st.sampled_from([0, 0, 0, 1, 2, 10]))
        text = text[:place] + inserted + text[place + left_out :]
    return text.encode("utf-8", "surrogatepass")


@st.composite
def changed(draw: st.DrawFn, data: Any) -> Any:
    """The mapping with some values replaced, left out, or under other keys."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(places(data)))
        match draw(st.sampled_from(["replace", "replace", "leave out", "rename"])):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            case "leave out":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = holder.pop(key)
        if not places(data):
            break
    return data


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every mapping or list in the data with each of its keys."""
    found = []
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            found.append((data, key))
            found += places(data[key])
    return found


EXPRESSIONS = (
    "receipt",
    "RECEIPT",
    "nope",
    "",
    " ",
    "1",
    "null",
    "'",
    '"',
    ")",
    "((((",
    "receipt; drop table winback_feed_rows",
    "receipt) from source; --",
    "1 as x",
    "*",
    "count(*)",
    "row_number() over ()",
    "cast(quantity as int)",
    "try_cast(quantity as int) / 0",
    "(select 1)",
    "(select receipt from source)",
    "unnest([1, 2])",
    "['a', 'b']",
    "{'a': 1}",
    "error('no')",
    "repeat('x', 100)",
    "$1",
    "?",
    "/* never ends",
    "-- a comment",
    "_line",
    "mapped",
    "quantity::blob",
    "interval 1 day",
    "nosuchfunction(1)",
    "date '2024-02-30'",
)


@st.composite
def bindings(draw: st.DrawFn) -> dict[str, Any]:
    """A feed's binding whose expressions, conditions, query and way of reading are as they come."""
    binding: dict[str, Any] = {
        "source": {"type": "file", "path": "sales.csv"},
        "columns": {
            "receipt_id": "receipt",
            "line_no": "line",
            "sold_at": "sold",
            "quantity": "quantity",
            "amount": "amount",
        },
        "reject": [{"when": "quantity = '0'", "reason": "zero_quantity"}],
    }
    for name in draw(st.lists(st.sampled_from([*binding["columns"], "member_id", "nope"]), max_size=2)):
        binding["columns"][name] = draw(st.sampled_from(EXPRESSIONS))
    if draw(st.booleans()):
        binding["reject"][0]["when"] = draw(st.sampled_from([*EXPRESSIONS, "true", "quantity > 1"]))
    if draw(st.integers(0, 3)) == 0:
        binding["query"] = draw(
            st.sampled_from(
                [
                    *EXPRESSIONS,
                    "select * from source",
                    "select * from source;",
                    "select *, 1 as rowid from source",
                    "select receipt from source",
                    "select *, * from source",
                    "select * from source where error('no') is null",
                    "copy source to 'x.csv'",
                    "from source",
                    "select * from nowhere",
                    "select * from source limit 0",
                ]
            )
        )
    odd: dict[str, tuple[Any, ...]] = {
        "encoding": ("utf-16", "cp037", "utf-7", "idna", "punycode", "unicode_escape", "rot13", "gb18030"),
        "delimiter": ("\t", "'", '"', "\n", "\r", "\x00", "é", "a", "1", " "),
        "quote": ("", "'", ",", "\n", "a", "\\"),
        "null_values": (["NA"], ["'"], [""], ["\n"], ["x" * 100]),
        "thousands_separator": (",", "'", " ", "1"),
        "date_formats": (["%d.%m.%Y"], ["%"], ["%Q"], [""]),
        "timestamp_formats": (["%Y-%m-%d %H:%M:%S"], ["%"], ["%Q"], ["%z"], ["%s"]),
        "time_zone": ("UTC", "Nowhere", "Etc/GMT+12", "../UTC", "", "localtime", "Factory", "right/UTC"),
        "format": ("csv", "tsv", "jsonl", "parquet", "xlsx"),
        "sheet": ("x", ["x"], []),
        "max_unpacked": ("1KB", "0KB", "1 PB", "99999999999999TB"),
        "path": (
            "",
            "sales.csv",
            "*",
            "**",
            "../*.csv",
            "/dev/null",
            ".",
            "sales.csv\x00",
            "~nobody/x",
            "[",
            "${HOME}",
        ),
    }
    for key in draw(st.lists(st.sampled_from(sorted(odd)), max_size=2)):
        binding["source"][key] = draw(st.sampled_from(odd[key]))
    return binding
