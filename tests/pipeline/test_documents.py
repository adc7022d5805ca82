"""The documents say what is so: their queries run, their commands exist, their links lead somewhere.

The README and every Markdown file below `docs/` are read, new ones too. The first line of a fenced block says
what it is (docs/README.md tells writers the same):

- `sql` runs on the published copy of the demo shop; of analyst.md each query must find rows.
- `sh` holds a command of `winback` or `make` in each line, after variables if need be. `winback` lines go to
  the command's own parser, `make` lines to `make -n`; those in `CHEAP` are run. In `console` the lines after
  `$ ` are such commands, the others what they print.
- `bash` is any other shell: its syntax is checked.
- `python` is run where the published copy stands in `data/`.
- `diff` edits tables of the policy, which must pass the check after it.
- `yaml` and `json` must be that. `text` and such, and blocks without a word, are left alone.

A comment `<!-- not run: reason -->` below a block of `sql` or `python` says why it can't be run here.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pipelines.activation.policy import checked_policy
from pipelines.cli import _parser
from pipelines.columns import LINEAGE_FILE, lineage_text
from pipelines.dictionary import DICTIONARY, dictionary_text, project_lineage
from pipelines.settings import PROJECT_DIR, load_profile, load_settings

# The demo shop's home is one worker's.
pytestmark = pytest.mark.xdist_group("demo")

PAGES = [PROJECT_DIR / "README.md", *sorted((PROJECT_DIR / "docs").rglob("*.md"))]
WORDS = {"sql", "sh", "console", "bash", "python", "diff", "yaml", "json"}
LEFT_ALONE = {"", "text", "csv", "ini", "toml", "html", "dockerfile", "jinja"}
CHEAP = {"winback policy check", "winback policy reach"}
"""Commands that change nothing and take no time: they are run on the demo shop's home."""

_FENCE = re.compile(
    r"^```([^\n`]*)\n(.*?)^```$(?:\n<!--\s*not run:\s*(.*?)\s*-->)?", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=\S*")
_COMMAND = re.compile(r"`((?:make|winback) [^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its word, its text, and why it is not run, if it says so."""

    page: Path
    line: int
    word: str
    text: str
    not_run: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT_DIR)}:{self.line}"


def blocks(*words: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            word, body, reason = match.group(1).strip(), match.group(2), match.group(3) or ""
            if word in words:
                found.append(Block(page, text.count("\n", 0, match.start()) + 1, word, body, reason))
    return found


def commands() -> Iterator[tuple[str, str]]:
    """Where, and the command: of blocks, and of whatever is named in a page's text."""
    for block in blocks("sh", "console"):
        for line in block.text.splitlines():
            if block.word == "console" and not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ").strip()
            if command and not command.startswith("#"):
                yield str(block), command
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for command in _COMMAND.findall(text):
            yield str(page.relative_to(PROJECT_DIR)), command


def words_of(command: str) -> list[str]:
    """A command without the variables before it."""
    words = shlex.split(command, comments=True)
    while words and _VARIABLE.fullmatch(words[0]):
        words.pop(0)
    return words


def test_every_block_says_what_it_is():
    all_words = {word for page in PAGES for word, *_ in _FENCE.findall(page.read_text(encoding="utf-8"))}

    assert {word.strip() for word in all_words} <= WORDS | LEFT_ALONE


@pytest.mark.parametrize("block", [each for each in blocks("sql") if not each.not_run], ids=str)
def test_a_query_runs(block, demo):
    with demo.published() as con:
        rows = con.execute(block.text).fetchall()

    assert rows or block.page.name != "analyst.md"


@pytest.mark.parametrize("block", [each for each in blocks("python") if not each.not_run], ids=str)
def test_an_example_runs(block, demo, tmp_path):
    (tmp_path / "data").symlink_to(demo.path)
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_command_is_one(capsys):
    """`winback` is read by its parser, `make` says what it would do."""
    wrong = []
    for where, command in commands():
        # A placeholder stands for what the reader knows.
        words = words_of(command.replace("…", "").replace("<", "").replace(">", ""))
        if words[:1] == ["winback"]:
            complaint = _complaint(words[1:], capsys)
            # Who only names a command in a sentence need not give all that it wants.
            if complaint and (":" in where or "arguments are required" not in complaint):
                wrong.append(f"{where}: {command}: {complaint}")
        elif words[:1] == ["make"] and not command.endswith("…"):
            done = subprocess.run(
                ["make", "-n", "-f", str(PROJECT_DIR / "Makefile"), *words[1:]],
                cwd=PROJECT_DIR,
                capture_output=True,
                text=True,
                check=False,
            )
            wrong += [f"{where}: {command}: {done.stderr}"] if done.returncode else []
        elif words[:1] not in (["winback"], ["make"]):
            wrong.append(f"{where}: {command}: no command of winback or make")
    assert wrong == []


def _complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command's parser has against these arguments."""
    try:
        _parser().parse_args(arguments)
    except SystemExit as ended:
        said = capsys.readouterr().err.strip()
        return said if ended.code else ""
    return ""


@pytest.mark.parametrize("command", sorted(CHEAP))
def test_a_cheap_command_does_what_it_says(command, demo, capfd):
    assert demo.winback(*words_of(command)[1:]) == 0
    said = capfd.readouterr().out.strip()
    assert said
    if command == "winback policy check":
        assert said in (PROJECT_DIR / "docs" / "marketer.md").read_text(encoding="utf-8")


def test_every_example_of_an_edited_policy_is_sound(tmp_path):
    seeds = PROJECT_DIR / "dbt_project" / "seeds" / "policy"
    edits = blocks("diff")
    for number, block in enumerate(edits):
        folder = tmp_path / str(number) / "policy"
        shutil.copytree(seeds, folder)
        _edit(folder, block)
        checked_policy(folder)
        assert any((folder / file.name).read_bytes() != file.read_bytes() for file in seeds.glob("*.csv")), (
            block
        )
    assert len(edits) >= 5


def _edit(folder: Path, block: Block) -> None:
    file, row = None, ""
    for line in block.text.splitlines():
        if line.startswith("--- "):
            file = folder / line.removeprefix("--- ")
            row = ""
        elif line.startswith("-"):
            row = line[1:]
            assert file.read_text(encoding="utf-8").count(f"{row}\n") == 1, (
                f"{block}: no row {row!r} in {file.name}"
            )
        elif line.startswith("+"):
            text = file.read_text(encoding="utf-8")
            text = text.replace(f"{row}\n", f"{line[1:]}\n") if row else f"{text.rstrip()}\n{line[1:]}\n"
            file.write_text(text, encoding="utf-8")


def test_other_blocks_are_what_they_say():
    wrong = []
    for block in blocks("yaml", "json", "bash"):
        try:
            if block.word == "bash":
                subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=True)
            else:
                yaml.safe_load(block.text) if block.word == "yaml" else json.loads(block.text)
        except (subprocess.CalledProcessError, yaml.YAMLError, ValueError) as error:
            wrong.append(f"{block}: {getattr(error, 'stderr', error)}")
    assert wrong == []


def test_the_profile_of_the_docs_is_one(tmp_path, monkeypatch):
    """The example, with the feed from a database below it."""
    page = PROJECT_DIR / "docs" / "data-engineer.md"
    shop, database = [block.text for block in blocks("yaml") if block.page == page]
    file = tmp_path / "corner_shop.yaml"
    file.write_text(shop + database, encoding="utf-8")
    monkeypatch.setenv("SHOP_DB_URL", "postgresql://reader:secret@localhost/shop")

    assert set(load_profile(str(file)).feeds) == {"pos_sales", "ecommerce_orders"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT_DIR)))
def test_links_lead_somewhere(page):
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    wrong = []
    for link in _LINK.findall(text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, heading = link.partition("#")
        file = (page.parent / target) if target else page
        if not file.exists():
            wrong.append(f"{link}: no such file")
        elif heading and file.suffix == ".md" and heading not in _headings(file):
            wrong.append(f"{link}: no such heading")
    assert wrong == []


def _headings(file: Path) -> set[str]:
    """Headings as they are linked to: lower case, blanks as bars, without signs."""
    found = re.findall(r"^#+ (.+)$", _FENCE.sub("", file.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


def test_the_make_targets_are_in_the_documents():
    """Whoever looks for a command finds it; `clean`, `help` and such explain themselves."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (PROJECT_DIR / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert {each for each in targets if f"make {each}" not in text} <= {
        "help",
        "clean",
        "chromium",
        "requirements",
    }


def test_the_dictionary_and_the_lineage_are_those_of_the_models():
    """`make dictionary` writes both; a changed model needs it."""
    settings = load_settings({})
    kept = (settings.dbt_dir / LINEAGE_FILE).read_text(encoding="utf-8")

    assert (PROJECT_DIR / DICTIONARY).read_text(encoding="utf-8") == dictionary_text(settings.dbt_dir)
    assert kept == lineage_text(project_lineage(settings.dbt_dir, settings.profile)), "run `make dictionary`"
