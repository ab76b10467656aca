"""Checks that what the repository's Markdown points to is there: files, anchors, and the tests that hold a promise."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


FOLDERS = [DOCS, *(ROOT / name for name in ("Packs", "local_xsoar", "tests"))]
TEXTS = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in folder.rglob("*.md"))]


def prose(path: Path) -> str:
    """Return a text without its blocks of code."""
    return re.sub(r"(?ms)^```.*?^```$", "", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of the headings of a text, as GitHub makes them."""
    found: list[str] = []
    for heading in re.findall(r"(?m)^#{1,6} +(.+?) *$", prose(path)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", other) is not None for other in found)
        found.append(f"{name}-{number}" if number else name)
    return frozenset(found)


def problem_of(link: str, path: Path) -> str:
    """Return what is wrong with a link of a text; "" for none, and for one that leads out of the repository."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return ""
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists():
        return f"{link}: there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"{link}: {target.name} has no such heading"
    return ""


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    """
    Given: a Markdown file of the repository.
    When: its links and pictures are followed, as far as they are relative.
    Then: each file exists, and has the heading that an anchor names.
    """
    text = re.sub(r"`[^`\n]*`", "", prose(path))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)

    assert [problem for link in links if (problem := problem_of(link, path))] == []


def test_every_page_is_in_the_index() -> None:
    """
    Given: the pages in docs/.
    When: they are compared with the index.
    Then: it lists each of them.
    """
    index = (DOCS / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


def test_the_tests_that_hold_a_promise_exist() -> None:
    """
    Given: the tests that the docs name, functions and files.
    When: they are looked for in the repository.
    Then: each is there.
    """
    files = [path for folder in ("tests", "Packs", "local_xsoar/tests", "tools/tests") for path in (ROOT / folder).rglob("*.py")]
    known = {path.name for path in files}
    for path in files:
        known |= set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
    named = {
        (page.name, name)
        for page in DOCS.glob("*.md")
        for name in re.findall(r"\b(test_\w+(?:\.py)?|XSOARMirroring_\w+_test\.py)\b", page.read_text(encoding="utf-8"))
    }

    assert sorted(f"{page}: {name}" for page, name in named if name not in known and not name.endswith("_")) == []


@cache
def said() -> str:
    """Return all that the pack's scripts and their yml say, a text a line; what is filled in is a mark."""
    texts: list[str] = []
    for path in [path for path in (ROOT / "Packs").rglob("*.py") if not path.name.endswith("_test.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join([*texts, *(path.read_text(encoding="utf-8") for path in (ROOT / "Packs").rglob("*.yml"))])


def test_what_an_operator_is_said_to_see_is_what_the_pack_says() -> None:
    """
    Given: the page on what is wrong, which quotes in its tables, in italics, what an operator sees.
    When: each quotation of three words and more is looked for in the pack, what is filled in left out.
    Then: the pack says it.
    """
    rows = re.findall(r"(?m)^\| (.*?) \|", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    quotations = [quotation for row in rows for quotation in re.findall(r"(?<![*\w])\*([^*]+)\*(?!\*)", row)]
    parts = [part.strip(" .") for quotation in quotations for part in re.split(r"…|\(\d{3}\):?|1024", quotation)]

    assert len(parts) > 30
    assert [part for part in parts if len(part.split()) > 2 and part not in said()] == []
