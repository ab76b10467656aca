"""The form of the tests themselves."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The unit tests beside the pack's scripts have a short form in one line, too.
FOLDERS = ("tests", "local_xsoar/tests", "tools/tests", "benchmarks")
FORM = re.compile(r"Given: .+\nWhen: .+\nThen: .+", re.DOTALL)


def test_each_test_says_given_when_then() -> None:
    """
    Given: all tests but those beside the pack's scripts.
    When: their docstrings are read.
    Then: each has a line, or more, for what is given, what happens and what must come of it.
    """
    tests = [
        (f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", ast.get_docstring(node) or "")
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("test_*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert tests
    assert [name for name, text in tests if not FORM.fullmatch(text)] == []
