"""The search language of incidents, compiled to SQL.

A query is parsed by a grammar into plain nodes, and the nodes become a condition with bound parameters over the columns of
`store.SCHEMA`. What the language is, is known from examples (XSOAR REST API: query language): `-status:closed -category:job`,
`type:("A" "B")`, `created:>="3 days ago" and (owner:me or severity:high)`, `name:"a phrase"`, `owner:*`, `name:abc*`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from local_xsoar.tenant.errors import BadRequest
from local_xsoar.tenant.shapes import INCIDENT_ZERO, INCIDENT_ZERO_8, TIME_FIELDS
from local_xsoar.tenant.times import SECOND, is_date_only, parse_moment

GRAMMAR = r"""
    start: or_terms?
    or_terms: and_terms (_OR and_terms)*
    and_terms: term (_AND? term)*
    ?term: (_NOT | _MINUS) term  -> negated
         | "(" or_terms ")"
         | FIELD _list           -> one_of
         | FIELD COMPARISON value -> compared
         | FIELD value           -> one_of
         | WORD                  -> word
         | STRING                -> word
    _list: "(" (_OR? item)+ ")"
    value: VALUE | STRING
    item: VALUE | STRING

    _AND.3: /and(?=[\s()"]|$)/i
    _OR.3: /or(?=[\s()"]|$)/i
    _NOT.3: /not(?=[\s()"]|$)/i
    _MINUS.2: "-"
    FIELD.4: /[A-Za-z_][\w.\/]*:/
    COMPARISON.2: /[<>]=?/
    STRING.2: /"(\\.|[^"\\])*"/s
    VALUE: /(\\.|[^\s()"\\])+/
    WORD: /(?!(and|or|not)([\s()"]|$))[^\s()":-](\\.|[^\s()":\\])*/i
    %ignore /\s+/
"""

STATUS_WORDS = {"pending": 0, "active": 1, "done": 2, "closed": 2, "archive": 3, "archived": 3}
SEVERITY_WORDS = {"unknown": 0, "informational": 0.5, "info": 0.5, "low": 1, "medium": 2, "high": 3, "critical": 4}


@dataclass(frozen=True)
class Value:
    """What a field is compared with. In quotes, `*` and `?` are themselves."""

    text: str
    quoted: bool = True

    @property
    def is_pattern(self) -> bool:
        return not self.quoted and ("*" in self.text or "?" in self.text)


@dataclass(frozen=True)
class Match:
    """A field has one of the values; `field` empty: the words stand in the name or the details."""

    field: str
    values: tuple[Value, ...]
    comparison: str = ""


@dataclass(frozen=True)
class Combined:
    """All (AND) or any (OR) of the parts."""

    word: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Negated:
    """Not the part."""

    part: Any


class _Nodes(Transformer):
    """Turns the parse tree into the nodes above."""

    def start(self, children: list[Any]) -> Any:
        return children[0] if children else None

    def or_terms(self, children: list[Any]) -> Any:
        return children[0] if len(children) == 1 else Combined("OR", tuple(children))

    def and_terms(self, children: list[Any]) -> Any:
        return children[0] if len(children) == 1 else Combined("AND", tuple(children))

    def negated(self, children: list[Any]) -> Negated:
        return Negated(children[0])

    def one_of(self, children: list[Any]) -> Match:
        return Match(children[0][:-1], tuple(children[1:]))

    def compared(self, children: list[Any]) -> Match:
        return Match(children[0][:-1], (children[2],), str(children[1]))

    def value(self, children: list[Token]) -> Value:
        return _value(children[0])

    item = value  # another rule in the grammar: what may follow an item of a list differs, and the lexer goes by that

    def word(self, children: list[Token]) -> Match:
        return Match("", (_value(children[0]),))


def _value(token: Token) -> Value:
    in_quotes = token.type == "STRING"
    text = str(token)[1:-1] if in_quotes else str(token)
    quoted = in_quotes or bool(re.search(r"\\[*?]", text))  # an escaped wildcard is itself, too
    return Value(re.sub(r'\\(["\\():*? -])', r"\1", text), quoted)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Nodes())


def parse_query(query: str) -> Any:
    """Return the nodes of a query, None for an empty one.

    Raises:
        BadRequest: it does not parse; the sentence says where.
    """
    try:
        return _parser().parse(query)
    except UnexpectedInput as error:
        raise BadRequest(f"The query could not be parsed: {_where(query, error)}.")
    except RecursionError:
        raise BadRequest("The query could not be parsed: it is nested too deeply.")


def _where(query: str, error: UnexpectedInput) -> str:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if at_end:
        return "it ends where a value or a closing parenthesis is still needed"
    position = error.pos_in_stream or 0
    rest = query[position : position + 20]
    if isinstance(error, UnexpectedCharacters) and rest.startswith('"'):
        return f"the quotation mark at character {position + 1} is never closed"
    return f"unexpected {rest!r} at character {position + 1}"


@dataclass(frozen=True)
class Sql:
    """A condition and its parameters, in order. It is never NULL, so that NOT of it is its opposite."""

    text: str
    parameters: tuple[Any, ...] = ()


NOTHING, EVERYTHING = Sql("0"), Sql("1")


def joined(word: str, parts: Sequence[Sql]) -> Sql:
    """Return the parts joined by AND or OR, as a balanced tree: SQLite limits how deep an expression may be."""
    if not parts:
        return EVERYTHING if word == "AND" else NOTHING
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = joined(word, parts[:middle]), joined(word, parts[middle:])
    return Sql(f"({left.text} {word} {right.text})", left.parameters + right.parameters)


@dataclass(frozen=True)
class Meaning:
    """What a query needs to know of the tenant: its clock, how it keeps times, which custom fields hold prose."""

    now: int
    kept: Callable[[int], int]
    prose_fields: frozenset[str] = field(default_factory=frozenset)


def compile_query(query: str, meaning: Meaning) -> Sql:
    """Return the condition of a query.

    Raises:
        BadRequest: the query does not parse, or compares a field with what it cannot be compared with.
    """
    try:
        nodes = parse_query(query)
        return EVERYTHING if nodes is None else compile_node(nodes, meaning)
    except RecursionError:
        raise BadRequest("The query could not be parsed: it is nested too deeply.")


def compile_node(node: Any, meaning: Meaning) -> Sql:
    """Return the condition of a node."""
    if isinstance(node, Combined):
        return joined(node.word, [compile_node(part, meaning) for part in node.parts])
    if isinstance(node, Negated):
        inner = compile_node(node.part, meaning)
        return Sql(f"(NOT {inner.text})", inner.parameters)
    return compile_match(node, meaning)


_SYSTEM_FIELDS = {name.casefold() for name in (*INCIDENT_ZERO, *INCIDENT_ZERO_8)}
_KEYWORDS = {
    "type", "category", "owner", "sourcebrand", "sourceinstance", "dbotmirrorid", "dbotmirrorinstance", "dbotmirrordirection",
}  # fmt: skip
_TIMES = {name.casefold() for name in TIME_FIELDS}
_PROSE = {"name", "details", "closenotes"}


def compile_match(match: Match, meaning: Meaning) -> Sql:
    """Return the condition of one field, or of bare words."""
    name = match.field.casefold()
    if not name:
        value = match.values[0]
        return joined("OR", [_prose(f"{column}_words", column, value) for column in ("name", "details")])
    if name in _TIMES:
        return _times(name, match, meaning)
    if name == "id":
        return _numbers("number", match, lambda text: int(text) if text.isdecimal() and len(text) < 19 else None)
    if name == "investigationid":
        pending = "json_extract(folded, '$.investigationid') <> ''"
        inner = _numbers("number", match, lambda text: int(text) if text.isdecimal() and len(text) < 19 else None)
        return Sql(f"({pending} AND {inner.text})", inner.parameters)
    if name == "status":
        return _numbers("status", match, lambda text: STATUS_WORDS.get(text, _number(text)))
    if name == "severity":
        return _numbers("severity", match, lambda text: SEVERITY_WORDS.get(text, _number(text)))
    if name in _PROSE and not match.comparison:
        return joined("OR", [_prose(f"{name}_words", name, value) for value in match.values])
    if name in _KEYWORDS:
        return _keywords(name, match)
    if name == "labels":
        return _labels("", match)
    if name.startswith("labels."):
        return _labels(name.removeprefix("labels."), match)
    if name in _SYSTEM_FIELDS:
        return _inside(f'$."{name}"', match, meaning)
    path = "$.customfields" + "".join(f'."{part}"' for part in name.removeprefix("customfields.").split("."))
    custom = _inside(path, match, meaning, prose=name in meaning.prose_fields)
    return joined("OR", [custom, _labels(name, match)])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e18 else None


def _present(value: Value) -> bool:
    return not value.quoted and value.text == "*"


def _numbers(column: str, match: Match, read: Callable[[str], float | None]) -> Sql:
    """Compare a number column; a value that is no such number matches nothing, one with wildcards is compared as text."""
    values = [read(value.text.casefold()) for value in match.values]
    if match.comparison:
        return NOTHING if values[0] is None else Sql(f"{column} {match.comparison} ?", (values[0],))
    if any(_present(value) for value in match.values):
        return EVERYTHING
    patterns = [Sql(f"CAST({column} AS TEXT) GLOB ?", (_glob(value),)) for value in match.values if value.is_pattern]
    exact = [number for number in values if number is not None]
    return joined("OR", [*patterns, *([_among(column, exact)] if exact else [])])


def _among(expression: str, values: Sequence[Any]) -> Sql:
    if len(values) == 1:
        return Sql(f"{expression} = ?", (values[0],))
    return Sql(f"{expression} IN ({','.join('?' * len(values))})", tuple(values))


def _keywords(column: str, match: Match) -> Sql:
    """Compare a text column as a whole, in one case."""
    if match.comparison:
        return Sql(f"{column} {match.comparison} ?", (match.values[0].text.casefold(),))
    if any(_present(value) for value in match.values):
        return Sql(f"{column} <> ''")
    patterns = [Sql(f"{column} GLOB ?", (_glob(value),)) for value in match.values if value.is_pattern]
    exact = [value.text.casefold() for value in match.values if not value.is_pattern]
    return joined("OR", [*patterns, *([_among(column, exact)] if exact else [])])


def _glob(value: Value) -> str:
    return value.text.casefold().replace("[", "[[]")


def _times(column: str, match: Match, meaning: Meaning) -> Sql:
    """Compare a time column; an unset time equals nothing and is neither before nor after anything."""
    if match.comparison:
        bound = _moment(match.values[0].text, match.field, meaning)
        if bound is None:  # year 1: everything that is set lies behind it
            return Sql(f"{column} IS NOT NULL") if match.comparison.startswith(">") else NOTHING
        return Sql(f"({column} IS NOT NULL AND {column} {match.comparison} ?)", (bound,))
    return joined("OR", [_at_time(column, value, match.field, meaning) for value in match.values])


def _at_time(column: str, value: Value, name: str, meaning: Meaning) -> Sql:
    if _present(value):
        return Sql(f"{column} IS NOT NULL")
    bound = _moment(value.text, name, meaning)
    if bound is None:
        return Sql(f"{column} IS NULL")
    if is_date_only(value.text):
        return Sql(f"({column} IS NOT NULL AND {column} >= ? AND {column} < ?)", (bound, bound + 86400 * SECOND))
    return Sql(f"({column} IS NOT NULL AND {column} = ?)", (bound,))


def _moment(text: str, name: str, meaning: Meaning) -> int | None:
    try:
        moment = parse_moment(text, meaning.now)
    except ValueError as error:
        raise BadRequest(f"The query compares {name} with what is not a time: {error}.")
    # The index of 8.x knows milliseconds only, on both sides of a comparison.
    return None if moment is None else meaning.kept(moment)


def text_tokens(text: str) -> str:
    """Return the words of a text in one case, each with a space on both sides: what prose is searched in."""
    words = re.findall(r"\w+", text.casefold())
    return f" {' '.join(words)} " if words else ""


def _prose(words_column: str, name: str, value: Value) -> Sql:
    """The value's words stand in the text next to each other; several unquoted values are several conditions."""
    if _present(value):
        return Sql(f"{words_column} <> ''")
    if value.is_pattern:
        return Sql(f"{words_column} GLOB ?", (_words_pattern(value),))
    words = text_tokens(value.text)
    if words:
        return Sql(f"instr({words_column}, ?) > 0", (words,))
    if not value.text.strip():
        return Sql(f"{words_column} = ''")
    return Sql("instr(json_extract(folded, ?), ?) > 0", (f'$."{name}"', value.text.casefold()))


def _words_pattern(value: Value) -> str:
    words = re.findall(r"[\w*?]+", value.text.casefold())
    return f"* {' '.join(words)} *"


_AS_TEXT = "CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN '' ELSE CAST(value AS TEXT) END"


def _inside(path: str, match: Match, meaning: Meaning, prose: bool = False) -> Sql:
    """Compare what stands in the body under the path: the value itself, or any element when it is a list."""
    conditions = [_element(value, match.comparison, meaning, prose) for value in match.values]
    condition = joined("OR", conditions)
    return Sql(f"EXISTS (SELECT 1 FROM json_each(folded, ?) WHERE {condition.text})", (path, *condition.parameters))  # noqa: S608  values are bound


def _element(value: Value, comparison: str, meaning: Meaning, prose: bool) -> Sql:
    text = value.text.casefold()
    number = _number(text)
    if comparison:
        if number is not None:
            return Sql(f"(type IN ('integer', 'real') AND value {comparison} ?)", (number,))
        try:
            moment = parse_moment(value.text, meaning.now)
        except ValueError:
            return Sql(f"(type = 'text' AND value {comparison} ?)", (text,))
        days = 2440587.5 + (moment or 0) / (86400 * SECOND)
        return Sql(f"(type = 'text' AND ifnull(julianday(upper(value)) {comparison} ?, 0))", (days,))
    if _present(value):
        return Sql(f"{_AS_TEXT} NOT IN ('', '0001-01-01t00:00:00z')")
    if value.is_pattern:
        return Sql(f"{_AS_TEXT} GLOB ?", (_glob(value),))
    if prose:
        return Sql(f"instr({_AS_TEXT}, ?) > 0", (text,))
    same = Sql(f"{_AS_TEXT} = ?", (text,))
    if number is None:
        return same
    return joined("OR", [same, Sql("(type IN ('integer', 'real') AND value = ?)", (number,))])


def _labels(kind: str, match: Match) -> Sql:
    """A label, of the type when one is given, has one of the values."""
    if match.comparison:
        return NOTHING
    conditions: list[Sql] = []
    for value in match.values:
        if _present(value):
            conditions.append(EVERYTHING)
        elif value.is_pattern:
            conditions.append(Sql("json_extract(value, '$.value') GLOB ?", (_glob(value),)))
        else:
            conditions.append(Sql("json_extract(value, '$.value') = ?", (value.text.casefold(),)))
    condition = joined("OR", conditions)
    typed = Sql(f"(json_extract(value, '$.type') = ? AND {condition.text})", (kind, *condition.parameters)) if kind else condition
    return Sql(f"EXISTS (SELECT 1 FROM json_each(folded, '$.labels') WHERE {typed.text})", typed.parameters)  # noqa: S608  values are bound
