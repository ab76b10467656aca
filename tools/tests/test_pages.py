"""What the pages for readers name is there: links, their anchors, targets of make and their options."""

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools import follow_readme

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "SECURITY.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")))
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def tokens(page: Path) -> list[Token]:
    """Return the tokens of a page of Markdown, those within its lines too."""
    found = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return [part for token in found for part in (token, *(token.children or ()))]


def links(page: Path) -> list[str]:
    """Return where a page points to within the repository, its pictures too."""
    named = [str(token.attrGet("href") or token.attrGet("src") or "") for token in tokens(page)]
    html = " ".join(token.content for token in tokens(page) if token.type in ("html_block", "html_inline"))
    named += re.findall(r'(?:href|src|srcset)="([^"]+)"', html)
    return [link for link in named if link and not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them, and those it names itself."""
    found = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    heads = [
        "".join(part.content for part in token.children or ())
        for opening, token in pairwise(found)
        if opening.type == "heading_open"
    ]
    slugs = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
    counted = [f"{slug}-{slugs[:index].count(slug)}" if slug in slugs[:index] else slug for index, slug in enumerate(slugs)]
    return {*counted, *re.findall(r'(?:id|name)="([^"]+)"', page.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """
    Given: a page for readers.
    When: its links within the repository are followed.
    Then: each file is there, and each anchor is a heading of its page.
    """
    page = ROOT / name
    dead = []
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("name", PAGES)
def test_each_target_that_is_named_exists(name: str) -> None:
    """
    Given: a page for readers.
    When: it names a command of make.
    Then: the Makefile has that target.
    """
    text = (ROOT / name).read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^\$ |^)make (?:[A-Z]+=\S+ )?([a-z][a-z-]*)", text, re.MULTILINE)
    assert [target for target in named if target not in RECIPES] == []


def test_each_target_of_the_help_stands_in_the_readme() -> None:
    """
    Given: the targets that make help lists.
    When: the README is read.
    Then: it names each of them.
    """
    command = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make (\S+)", shown.stdout, re.MULTILINE)
    assert len(listed) > 10
    assert [target for target in listed if not re.search(rf"`[^`]*make {target}(?![\w-])", README)] == []


def options_in_the_readme() -> dict[str, set[str]]:
    """Return the options that the README hands to each target: in a command, or in the row of the table about it."""
    found: dict[str, set[str]] = {}
    for row in README.splitlines():
        of_row = re.match(r"\| `make ([a-z-]+)", row)
        for target, quoted, plain in re.findall(r'(?:make ([a-z-]+) )?ARGS=(?:"([^"]*)"|(--[a-z-]+))', row):
            named = target or (of_row[1] if of_row else "")
            found.setdefault(named, set()).update(re.findall(r"--[a-z-]+", quoted or plain))
    return found


@pytest.mark.parametrize("target", sorted(options_in_the_readme()))
def test_each_option_that_the_readme_names_is_one(target: str) -> None:
    """
    Given: the options that the README puts into ARGS.
    When: the command is asked for its help.
    Then: it knows each of them.
    """
    (command,) = re.findall(r"^\t@(\S+ .*)\$\(ARGS\)", RECIPES[target], re.MULTILINE)
    words = shlex.split(command.replace("$(WORKERS)", "1"))
    if words[0] == "bash":
        said = (ROOT / words[1]).read_text(encoding="utf-8")
    else:
        said = subprocess.run([sys.executable, *words[1:], "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {option for option in options_in_the_readme()[target] if not re.search(rf"{option}\b", said)} == set()


def test_each_command_that_is_not_followed_is_there() -> None:
    """
    Given: the commands that are passed over or treated in their own way when the README is followed.
    When: the README is read.
    Then: it still lists each, so that no reason outlives its command.
    """
    listed = {step.command for step in follow_readme.steps_of("README.md", README)}
    assert {*follow_readme.CHECKED_ELSEWHERE, *follow_readme.UNTIL_CTRL_C, *follow_readme.LAST} - listed == set()
