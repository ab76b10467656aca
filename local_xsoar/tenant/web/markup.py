"""Texts of incidents and entries as a tree that the page builds element by element: nothing in them is ever read as HTML.

A node is a string, or {"tag": ..., "children": [nodes]} with `class`, `datetime` or `href` (http, https, or a file of this page).
"""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from local_xsoar.tenant.times import ZERO_TIME, parse_iso

Node = str | dict[str, Any]

MOST_CHARACTERS = 20_000  # of one text; what is longer is cut, so that a huge entry does not stop the page
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
_TAGS = {"b": "strong", "s": "del", "i": "em"}


def element(tag: str, children: Iterable[Node] = (), **attributes: str) -> Node:
    """Return an element; `class` is written `class_`."""
    named = {name.rstrip("_"): value for name, value in attributes.items()}
    return {"tag": tag, "children": list(children), **named}


def plain(text: str) -> list[Node]:
    """Return a text as it is, its line ends kept."""
    shown, rest = cut(text)
    return [element("p", [shown]), *rest] if text else []


def cut(text: str) -> tuple[str, list[Node]]:
    """Return the text as far as it is shown, and a remark on what is left out."""
    if len(text) <= MOST_CHARACTERS:
        return text, []
    return text[:MOST_CHARACTERS], [element("p", [f"… and {len(text) - MOST_CHARACTERS:,} characters more."], class_="quiet")]


def as_json(value: Any) -> list[Node]:
    """Return a value as indented JSON."""
    shown, rest = cut(json.dumps(value, indent=2, ensure_ascii=False))
    return [element("pre", [shown]), *rest]


def folded_json(value: Any) -> list[Node]:
    """Return an object or a list as JSON that unfolds when it is asked for."""
    count = len(value)
    what = "object" if isinstance(value, dict) else "list"
    return [element("details", [element("summary", [f"{what} of {count}"]), *as_json(value)])]


def moment(text: str) -> list[Node]:
    """Return a time, which the page shows in the browser's time zone; nothing when it is unset, the text when it is none."""
    if not text or text == ZERO_TIME:
        return []
    try:
        return [element("time", [text], datetime=text)] if parse_iso(text) is not None else []
    except ValueError:
        return plain(text)


def safe_link(url: str) -> str:
    """Return the address when following it is harmless (http or https, with a host), else ""."""
    if any(character <= " " or character in "\\\x7f" for character in url):
        return ""
    try:
        parts = urlsplit(url)
        return url if parts.scheme.lower() in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def link(url: str, label: str = "") -> list[Node]:
    """Return a link, or the text when following it would not be harmless."""
    href = safe_link(url)
    return [element("a", [label or url], href=href)] if href else plain(url)


def markdown(text: str) -> list[Node]:
    """Return Markdown as a tree. HTML within it is text, pictures are links, links that are not http or https are text."""
    shown, rest = cut(text)
    return [*_tree(_MARKDOWN.parse(shown)), *rest]


def _tree(tokens: Iterable[Token]) -> list[Node]:
    """Turn the parser's flat list of opening, closing and empty tokens into a tree."""
    root: list[Node] = []
    open_lists = [root]
    for token in tokens:
        if token.nesting < 0:
            open_lists.pop()
            continue
        node = _node(token)
        if token.nesting == 0:
            open_lists[-1] += node
            continue
        (container,) = node
        assert isinstance(container, dict)
        if token.hidden:  # the paragraph of a tight list's item: its children stand in the item itself
            open_lists.append(open_lists[-1])
            continue
        open_lists[-1].append(container)
        open_lists.append(container["children"])
    return root


def _node(token: Token) -> list[Node]:
    if token.type == "inline":
        return _tree(token.children or [])
    if token.type in ("text", "html_inline", "html_block"):
        return [token.content] if token.content else []
    if token.type == "softbreak":
        return ["\n"]  # as the War Room does, the page keeps the line ends of a paragraph
    if token.type in ("fence", "code_block"):
        return [element("pre", [token.content])]
    if token.type == "code_inline":
        return [element("code", [token.content])]
    if token.type == "image":
        return link(str(token.attrs.get("src", "")), f"picture: {token.content or token.attrs.get('src', '')}")
    if token.type == "link_open":
        href = safe_link(str(token.attrs.get("href", "")))
        return [element("a", href=href)] if href else [element("span")]
    if token.type == "heading_open":
        return [element("p", class_="heading")]  # an entry's headings are none of the page's outline
    return [element(_TAGS.get(token.tag, token.tag))]
