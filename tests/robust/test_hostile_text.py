"""Text of the remote is shown as what it is, text of ours cannot change a query, and neither is carried out anywhere."""

import re
from datetime import timedelta
from typing import Any

import pytest
import XSOARMirroring as script
from stand_ins import LAST_UPDATE, PARAMS, Remote, Server, local_entry, push, pushed

HOSTILE = [
    "a | b || c \\| d",
    "first\nsecond\r\nthird",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![pixel](https://elsewhere.example.net/p.png)",
    "[ref]: https://elsewhere.example.net",
    "**bold** _thin_ ~~gone~~",
    "# heading\n\n- item\n\n---\n\n> quote",
    "```\nfence\n```",
    "`code`",
    "&lt;b&gt;",
    "\\[not escaped\\](https://elsewhere.example.net)",
    "|---|\n|x|",
    "{{incident.name}} ${incident.id} %%%",
]
COMMANDS = ["!DeleteContext all=yes", "/close", "@admin please", "!reopenInvestigation id=2", "\n!ban ip=1", " !ban", "{!ban}"]


def rows(table: str) -> list[list[str]]:
    """Return the cells of the rows of a Markdown table, where a pipe behind an odd number of backslashes ends none."""
    lines = [line for line in table.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1] for line in lines]


def must_be_plain(markdown: str) -> None:
    """Check that nothing in a text is HTML, a link, an image, code or emphasis once it is rendered."""
    unescaped = re.sub(r"\\[\\`*_\[\]~!|<>#]", "", markdown).replace("<br>", "")
    assert "<" not in unescaped, markdown
    assert not re.search(r"\]\s*[\(:]", unescaped), markdown
    assert "![" not in unescaped, markdown
    assert "`" not in unescaped, markdown
    assert "**" not in unescaped, markdown
    assert "~~" not in unescaped, markdown
    assert "&lt;b" not in unescaped, markdown


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("nested", [False, True], ids=["text", "inside a list"])
def test_tables_show_text_as_it_is(server: Server, remote: Remote, text: str, nested: bool) -> None:
    """
    Given: an incident whose name, details, owner and custom field, and an entry whose text and author, are Markdown or HTML.
    When: they are searched, shown and compared.
    Then: each table has as many cells in each row as in its head, and nothing of it becomes a link, an image or HTML.
    """
    value: Any = [text, {"inner": text}] if nested else text
    remote.add("1", name=text, details=text, owner=text, CustomFields={"ticket": value})
    remote.write("1", value, user=text)
    server.incident = {"id": "77", "dbotMirrorId": "1", "details": f"{text}!", "CustomFields": {"ticket": [text, 1]}}

    shown = [
        server.ok("xsoar-search-incidents", columns="id,name,details,owner,CustomFields"),
        server.ok("xsoar-get-incident", id="1"),
        server.ok("xsoar-mirror-diff"),
    ]

    for result in shown:
        readable = result["HumanReadable"]
        for table in readable.split("\n### "):
            widths = {len(cells) for cells in rows(table)}
            assert len(widths) == 1, readable
        headings = [line for line in readable.splitlines() if line.lstrip("|").startswith("#")]
        assert len(headings) <= 2, readable
        must_be_plain(re.sub(r"^(###.*|\|---.*)$", "", readable, flags=re.MULTILINE))
        must_be_plain("\n".join(line for line in readable.splitlines() if line.startswith("### Incident")))


@pytest.mark.parametrize("text", [*HOSTILE, *COMMANDS])
@pytest.mark.parametrize("entry_format", ["text", "markdown", "html", "json", "table", "dbotCommandResponse", "unknown"])
def test_an_entry_comes_in_as_a_text_below_its_author(
    server: Server, remote: Remote, mirrored: str, text: str, entry_format: str
) -> None:
    """
    Given: a remote entry in any format that looks like a command or like the end of its own frame.
    When: it is pulled.
    Then: it arrives whole as an entry to be read, below a line of one line that names its author.
    """
    remote.write(mirrored, text, format=entry_format, user="eve")

    (entry,) = server.pull(mirrored)[1]

    assert entry["Type"] == 1
    assert set(entry) == {"Type", "Contents", "ContentsFormat", "Category", "Tags", "Note"}
    assert text in entry["Contents"]
    assert "eve" in entry["Contents"].splitlines()[0]
    assert entry["ContentsFormat"] == (entry_format if entry_format in ("text", "html") else "markdown")
    if entry["ContentsFormat"] == "markdown" and entry_format != "markdown":
        fence = re.search(r"\n\n(`{3,})\n", entry["Contents"])
        assert fence
        assert entry["Contents"].endswith(f"\n{fence[1]}")
        assert fence[1] not in text


@pytest.mark.parametrize(
    "name", ["eve\n!ban", "eve\r\n# big", "<b>eve</b>", "**eve**:** said", "[eve](https://x.example)", "!eve", "e" * 9999]
)
@pytest.mark.parametrize("entry_format", ["text", "markdown", "html"])
def test_an_author_cannot_break_out_of_the_line_that_names_them(
    server: Server, remote: Remote, mirrored: str, name: str, entry_format: str
) -> None:
    """
    Given: a remote entry whose author has a name that would end the line, or be Markdown or HTML.
    When: it is pulled.
    Then: the line is one short line, the text is below it, and the name is shown as it is.
    """
    remote.write(mirrored, "the text", format=entry_format, user=name)

    (entry,) = server.pull(mirrored)[1]

    lines = entry["Contents"].splitlines()
    assert lines[-1] == "the text"
    assert len([line for line in lines if line]) == 2
    assert len(lines[0]) < 600
    if entry_format == "html":
        assert "<" not in name or name not in lines[0]
    if entry_format == "markdown":
        assert not re.search(r"(?<!\\)[\[<]", lines[0])


@pytest.mark.parametrize("text", [*HOSTILE, *COMMANDS])
@pytest.mark.parametrize(
    ("entry_format", "note"), [("text", False), ("text", True), ("markdown", True), ("html", True), ("json", False)]
)
def test_a_local_text_is_written_there_and_not_carried_out(
    server: Server, remote: Remote, mirrored: str, text: str, entry_format: str, note: bool
) -> None:
    """
    Given: a local entry that looks like a command.
    When: it is sent.
    Then: it goes by the routes that carry nothing out, whole, and does not begin with what begins a command.
    """
    pushed(server, mirrored, entries=[local_entry(1, text, format=entry_format, note=note, user="lea")])

    assert {call.route for call in remote.calls if call.route.startswith("POST /entry")} <= {
        "POST /entry/note",
        "POST /entry/formatted",
    }
    written = remote.entries[mirrored][0]["contents"]
    assert text in written
    assert written[0] not in "!/@{ \n"
    assert remote.incidents.keys() == {mirrored}


@pytest.mark.parametrize("text", COMMANDS)
def test_fields_and_words_of_closing_are_not_carried_out(server: Server, remote: Remote, mirrored: str, text: str) -> None:
    """
    Given: a local incident whose fields, close reason and notes look like commands; and a remote one that was closed so.
    When: they are pushed, it is reopened, and pulled.
    Then: the only command that ever runs is the one that reopens, with the id alone.
    """
    remote.add("2")
    words = {"closeReason": text, "closeNotes": text, "name": text, "details": text}
    pushed(server, mirrored, delta={"name": text, "details": text, "owner": text}, data=words)
    pushed(server, mirrored, delta=words, data=words, status=2)
    pushed(server, mirrored, data=words, status=1)
    remote.close(mirrored, text, text)
    server.pull(mirrored)

    ran = [call.body["data"] for call in remote.asked("POST /entry/execute")]
    assert set(ran) <= {f"!reopenInvestigation id={mirrored}"}
    assert not remote.asked("POST /entry$")


@pytest.mark.parametrize("remote_id", ["1 all=yes", "1\n!ban", '1" x="', "1;2", "${x}", "`1`"])
def test_an_id_is_no_part_of_a_command_unless_it_is_plain(server: Server, remote: Remote, mirrored: str, remote_id: str) -> None:
    """
    Given: a closed incident whose id would add to a command.
    When: it is reopened here.
    Then: no command runs.
    """
    incident = remote.incidents[mirrored]
    remote.incidents[remote_id] = {**incident, "id": remote_id, "status": 2}
    remote.add("3")
    push(server, remote_id, status=2)
    push(server, remote_id, status=1)

    assert not remote.asked("POST /entry/execute")


TEXTS = ['a"b', "a\\", 'a" or -id:"', 'a\\" or x', "*", "a?b", "a OR b", "ü 報", "a\nb", "(", ")"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_quoted_text_stays_one_value(text: str) -> None:
    """
    Given: any text.
    When: it is quoted for a query.
    Then: it reads back as that text, and ends where the quotes end.
    """
    quoted = script.quoted(text)

    inside = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', quoted, re.DOTALL)
    assert inside
    assert re.sub(r"\\(.)", r"\1", inside[1]) == text


@pytest.mark.parametrize("local_id", TEXTS)
def test_a_local_id_cannot_change_the_search_for_what_was_created(server: Server, remote: Remote, local_id: str) -> None:
    """
    Given: a local incident with a hostile id.
    When: it is created there.
    Then: it is looked for as one quoted value.
    """
    push(server, "", data={"id": local_id, "name": "new"}, delta={"name": "new"})

    queries = [call.body["filter"]["query"] for call in remote.asked("POST /incidents/search")]
    assert queries
    for query in queries:
        assert re.fullmatch(r'dbotMirrorId:"((?:[^"\\]|\\.)*)"', query, re.DOTALL)


@pytest.mark.parametrize("query", ["type:A) or (id:1", "(type:A", "type:A)", 'name:"a', 'name:"a\\"', 'a"b"c"', "type:A\\"])
def test_a_query_that_would_change_ours_is_refused(server: Server, remote: Remote, query: str) -> None:
    """
    Given: a query of the instance whose brackets or quotes reach beyond its end.
    When: Test runs, and a fetch.
    Then: both say so in a sentence, before the remote is asked: incidents of this integration would not be left out.
    """
    server.params["query"] = query
    remote.add("1", sourceBrand="XSOAR Mirroring")

    for command in ("test-module", "fetch-incidents"):
        assert "Fetch only incidents that match the query" in server.fails(command)
    assert not remote.asked("POST /incidents/search")


@pytest.mark.parametrize(
    "query", ["", "type:A or type:B", '(a or (b and c)) and name:"x ) y"', 'name:"a \\" ) b"', "a\\(b", 'path:"C:\\\\"']
)
def test_a_whole_query_is_asked_as_it_is(query: str) -> None:
    """
    Given: a query that is whole.
    When: the settings are read.
    Then: it is taken, and stands in brackets of its own.
    """
    settings = script.parse_settings(PARAMS | {"query": query}, "headquarters")

    assert settings.query == query
    assert script.combined_query(query, True).startswith(f"({query}) and " if query else "-sourceBrand")


def test_a_mention_and_a_template_reach_the_reader_unchanged(server: Server, remote: Remote, mirrored: str, clock: Any) -> None:
    """
    Given: texts with mentions and templates on both sides.
    When: they cross.
    Then: they arrive letter by letter, as text.
    """
    text = "@admin ${incident.name} {{x}} #tag /invite bob"
    remote.write(mirrored, text)
    clock.tick(timedelta(minutes=1))

    result = server.ok("get-remote-data", id=mirrored, lastUpdate=LAST_UPDATE)
    pushed(server, mirrored, entries=[local_entry(1, text)])

    assert result[1]["Contents"].endswith(f":\n{text}")
    assert remote.entries[mirrored][-1]["contents"].endswith(f":\n{text}")
