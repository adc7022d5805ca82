"""The examples in docstrings do what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import pipelines

PACKAGE = Path(pipelines.__file__).parent
# Their examples show a use on a person's own data home.
SHOWN_ONLY = {"resources/dbt.py", "resources/warehouse.py"}
FILES = sorted(
    str(file.relative_to(PACKAGE))
    for file in PACKAGE.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("file", sorted(set(FILES) - SHOWN_ONLY))
def test_examples(file):
    module = importlib.import_module(".".join(("pipelines", *Path(file).with_suffix("").parts)))

    outcome = doctest.testmod(module)

    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_what_is_shown_only_has_examples():
    assert set(FILES) >= SHOWN_ONLY
