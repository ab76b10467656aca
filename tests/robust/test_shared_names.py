"""On a server CommonServerPython and a script are one text. A name of the first that the second takes breaks the first."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_xsoar.runtime import runtime_folders

PACK = Path(__file__).resolve().parents[2] / "Packs" / "XSOARMirroring"
SCRIPTS = sorted(path for path in PACK.glob("*/*/*.py") if not path.stem.endswith("_test"))


def bound(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield each name that statements bind at the top, and what to: the module of a plain import, else where it is bound."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.ClassDef():
                yield statement.name, f"line {statement.lineno}"
            case ast.Import():
                for alias in statement.names:
                    yield (alias.asname or alias.name).partition(".")[0], alias.name
            case ast.ImportFrom():
                for alias in statement.names:
                    yield alias.asname or alias.name, f"{statement.module}.{alias.name}"
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for node in (node for target in targets for node in ast.walk(target)):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield node.id, f"line {statement.lineno}"
            case ast.If() | ast.Try() | ast.For() | ast.While() | ast.With():
                for part in ("body", "orelse", "finalbody", "handlers"):
                    for inner in getattr(statement, part, []):
                        yield from bound(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def names_in(path: Path) -> dict[str, str]:
    """Return what a file binds at its top. See `bound`."""
    return {name: what for name, what in bound(ast.parse(path.read_text()).body) if name != "*"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_takes_no_name_of_the_platform_s_module(script: Path) -> None:
    """
    Given: a script of the pack, and the platform's module in front of it.
    When: both bind names.
    Then: what both bind is the same module.
    """
    platform = next(path for folder in runtime_folders() if (path := Path(folder) / "CommonServerPython.py").is_file())
    theirs, ours = names_in(platform), names_in(script)
    assert {name: what for name, what in ours.items() if theirs.get(name, what) != what} == {}


def test_what_is_looked_for_is_found(tmp_path: Path) -> None:
    """
    Given: a script that binds names in each way.
    When: they are collected.
    Then: none is missing.
    """
    script = tmp_path / "script.py"
    script.write_text(
        "import a.b\nfrom c import d as e\nf = g, h = 1, 2\ni: int = 3\ndef j(): k = 1\nclass L: m = 1\n"
        "j.k = L[0] = 4\ntry:\n    import n as o\nexcept ImportError:\n    p = None\nif f:\n    q = 1\nelse:\n    r = 1\n"
    )
    assert "".join(sorted(names_in(script))) == "Laefghijopqr"
