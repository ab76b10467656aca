"""Small faults for a Python script: each is one edit of its text, in the body of one function."""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

SWAPPED: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
}
SIGNS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*"}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
# What a function returns instead, by the name that its annotation begins with.
DEFAULTS = {"bool": "False", "int": "0", "float": "0.0", "str": "''", "dict": "{}", "list": "[]", "tuple": "()", "set": "set()"}
# What has no order of its own and no sign: to subtract from it fails at once and tells nothing.
NO_NUMBERS = (ast.JoinedStr, ast.List, ast.Tuple, ast.Dict, ast.ListComp)


@dataclass(frozen=True)
class Mutant:
    """A fault: where it stands, the lines as they were and as they are, and the whole script with it."""

    function: str
    section: str
    line: int
    last_line: int
    old: str
    new: str
    script: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by however the lines move: function, old and new text."""
        return self.function, self.old, self.new

    def __str__(self) -> str:
        return f"{self.line}: {self.function}: {self.old}  ->  {self.new}"


def make_mutants(script: str, silent: str = "(?!)") -> list[Mutant]:
    """Return all faults of the script's functions, without those in statements that begin as `silent` says."""
    lines = [line.encode() for line in script.splitlines(keepends=True)]
    headers = [
        (number, found[1]) for number, line in enumerate(script.splitlines(), 1) if (found := re.match(r'""" (.+) """$', line))
    ]
    made: dict[tuple[str, str, str], Mutant] = {}
    for function, definition in functions_of(ast.parse(script), ""):
        section = next((title for number, title in reversed(headers) if number < definition.lineno), "")
        for statement, node, text in faults_of(definition, script, re.compile(silent)):
            first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
            start, end = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
            edited = (start + text.encode() + end).decode()
            old, new = (" ".join(part.split()) for part in (b"".join(lines[first : last + 1]).decode(), edited))
            mutated = b"".join(lines[:first]).decode() + edited + b"".join(lines[last + 1 :]).decode()
            mutant = Mutant(function, section, min(statement.lineno, first + 1), last + 1, old, new, mutated)
            made.setdefault(mutant.key, mutant)
    return list(made.values())


def functions_of(tree: ast.AST, outer: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give all functions with their qualified names, those within others and within classes too."""
    for node in ast.iter_child_nodes(tree):
        named = outer + node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""
        if isinstance(node, ast.FunctionDef):
            yield named, node
        yield from functions_of(node, f"{named}." if named else outer)


def faults_of(
    definition: ast.FunctionDef, script: str, silent: re.Pattern[str]
) -> Iterator[tuple[ast.stmt, ast.expr | ast.stmt, str]]:
    """Give the statement, the part of it to be replaced, and the text to replace it with, for each fault of a function."""
    todo: list[tuple[ast.stmt, ast.AST]] = [(statement, statement) for statement in reversed(definition.body)]
    while todo:
        statement, node = todo.pop()
        # A function within this one comes by itself. Parts of f-strings have no places of their own before Python 3.12.
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.JoinedStr | ast.arguments):
            continue
        if isinstance(node, ast.stmt):
            if silent.match(ast.unparse(node)):
                continue
            statement = node
            yield from ((node, part, text) for part, text in of_statement(node, definition))
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
            for kind in node.type.elts:
                rest = [ast.unparse(other) for other in node.type.elts if other is not kind]
                yield statement, node.type, f"({', '.join(rest)},)"
        if isinstance(node, ast.expr):
            yield from ((statement, node, text) for text in of_expression(node))
        # A condition that is always met, never met, or turned round. Where it is a comparison, that is turned round by itself.
        conditions = (
            [node.test] if isinstance(node, ast.If | ast.IfExp) else node.ifs if isinstance(node, ast.comprehension) else []
        )
        for condition in conditions:
            yield from ((statement, condition, text) for text in ("True", "False"))
            if isinstance(condition, ast.Name | ast.Attribute | ast.Call):
                yield statement, condition, f"(not {ast.unparse(condition)})"
        annotation = {id(node.annotation)} if isinstance(node, ast.AnnAssign) else set()
        todo += [(statement, child) for child in reversed(list(ast.iter_child_nodes(node))) if id(child) not in annotation]


def of_statement(node: ast.stmt, definition: ast.FunctionDef) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    """Give what can be replaced of a statement as a whole, and with what."""
    writes = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    calls = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if writes or calls or isinstance(node, ast.AugAssign | ast.Delete | ast.Raise):
        yield node, "pass"
    if isinstance(node, ast.AugAssign) and type(node.op) in SIGNS:
        yield node, f"{ast.unparse(node.target)} {SIGNS[type(node.op)]}= {ast.unparse(node.value)}"
    if isinstance(node, ast.Continue | ast.Break):
        yield node, "break" if isinstance(node, ast.Continue) else "continue"
    if isinstance(node, ast.Return) and node.value and definition.returns:
        kind = ast.unparse(definition.returns)
        default = "None" if "None" in kind else DEFAULTS.get(re.split(r"\W", kind)[0], "None")
        if ast.unparse(node.value) != default:
            yield node, f"return {default}"


def of_expression(node: ast.expr) -> Iterator[str]:
    """Give the texts that an expression itself, without its parts, can be replaced with."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in SWAPPED[type(operator)]:
                operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                yield ast.unparse(ast.Compare(node.left, operators, node.comparators))
    elif isinstance(node, ast.BoolOp):
        yield f"({ast.unparse(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.BinOp) and not any(is_text(side) for side in (node.left, node.right)):
        left, right = (
            f"({ast.unparse(side)})" if isinstance(side, ast.BinOp) else ast.unparse(side) for side in (node.left, node.right)
        )
        if type(node.op) in SIGNS:
            yield f"({left} {SIGNS[type(node.op)]} {right})"
        elif isinstance(node.op, ast.BitOr | ast.BitAnd):
            yield left
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield repr(node.value + 1)
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name in NAMES:
            yield ast.unparse(ast.Call(ast.Name(NAMES[name]), node.args, node.keywords))
        if name.split(".")[-1] == "replace":
            for keyword in node.keywords:
                yield ast.unparse(ast.Call(node.func, node.args, [other for other in node.keywords if other is not keyword]))


def is_text(side: ast.expr) -> bool:
    """Return whether an operand is visibly no number and no set."""
    return isinstance(side, NO_NUMBERS) or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))


def draw(mutants: list[Mutant], number: int, seed: int) -> list[Mutant]:
    """Return as many of the mutants, one of each function first, then a second of each, and so on.

    The seed decides which. A change to one function leaves the draw within all others as it is.
    """
    turns: dict[str, int] = {}
    ranked: list[tuple[int, int, Mutant]] = []
    for mutant in sorted(mutants, key=lambda each: hashlib.sha256(repr((seed, each.key)).encode()).hexdigest()):
        turns[mutant.function] = turns.get(mutant.function, 0) + 1
        ranked.append((turns[mutant.function], len(ranked), mutant))
    return [mutant for _, _, mutant in sorted(ranked, key=lambda each: each[:2])[:number]]
