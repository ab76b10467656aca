"""The command line `warroom`: it runs a command of the integration and shows its entries."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from local_xsoar.cli import warroom
from local_xsoar.host import Host, Workers
from local_xsoar.tests.host.host_samples import SAMPLES

ROOT = Path(__file__).resolve().parents[3]
CONSOLE = SAMPLES / "Console"
URL = ["--url", "https://there"]
HELP = f"{shlex.quote(sys.executable)} -m local_xsoar warroom --help"


@pytest.fixture(autouse=True)
def in_a_folder_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: Workers) -> None:
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XSOAR_API_KEY", "the key")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(warroom, "Host", partial(Host, workers=workers))  # to start one fork server, not thirty


def run(*arguments: str) -> int:
    return warroom.main([*arguments], CONSOLE)


def test_a_command_is_run_with_the_options_as_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: every option.
    When: a command is run and its entries are asked for as JSON.
    Then: the integration saw them as its parameters, the key from the environment among them.
    """
    options = [
        *URL,
        "--key-id",
        "7",
        "--insecure",
        "--advanced",
        "--pack-params",
        "max_fetch=5",
        "categories=notes, chats",
        "debug_mode=true",
    ]
    assert run(*options, "--command", "!console-params", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert entry["Contents"] == {
        "url": "https://there",
        "credentials_api_key": {"identifier": "7", "password": "the key"},
        "advanced_api_key": True,
        "insecure": True,
        "max_fetch": "5",
        "categories": ["notes", "chats"],
        "debug_mode": True,
    }


def test_certificates_are_verified_unless_told_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: neither --insecure nor --advanced.
    When: a command is run.
    Then: the integration verifies certificates, with a standard key.
    """
    assert run(*URL, "--command", "!console-params", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["Contents"]["insecure"], entry["Contents"]["advanced_api_key"]) == (False, False)


def test_markdown_is_rendered_and_control_characters_are_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command whose table holds a terminal's escape sequence and a tag.
    When: it is run.
    Then: the table is drawn with the tag in it, and the escape character is gone.
    """
    assert run(*URL, "--command", '!console-table value="\x1b[2Jred <b>"') == 0
    shown = capsys.readouterr().out
    assert "|---|" not in shown
    assert "[2Jred <b>" in shown
    assert "\x1b[2J" not in shown


def test_a_command_that_fails_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command that gives an error entry.
    When: it is run.
    Then: the error is printed as it is, and the status is 1.
    """
    assert run(*URL, "--command", "!console-fail") == 1
    assert capsys.readouterr() == ("", "Not today\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], f"One of the arguments --url --local is required: see {HELP}."),
        (["--local", *URL], f"Argument --url: not allowed with argument --local: see {HELP}."),
        (["--local", "--key-id", "7"], "The options --key-id, --advanced and --insecure only work with --url: leave them out"),
        ([*URL, "--save-to", "/dev/null"], "/dev/null is not a folder: give one with --save-to."),
        ([*URL, "--colour"], f"Unrecognized arguments: --colour: see {HELP}."),
        ([*URL, "--pack-params", "max_fetch"], "max_fetch is not a parameter: give it as name=value."),
        ([*URL, "--pack-params", "max=5", "--command", "!x"], "Console has no parameter max: it has"),
        ([*URL, "--pack-params", "debug_mode=maybe"], "The parameter debug_mode must be true or false, not 'maybe'."),
        (
            [*URL, "--pack-params", "credentials_api_key=k"],
            "The parameter credentials_api_key holds credentials and cannot be given here",
        ),
        (
            [*URL, "--command", "console-table"],
            "A command begins with an exclamation mark: did you mean !console-table?",
        ),
        (
            [*URL, "--command", "!console-table value=1 using=other"],
            "There is no instance other, only warroom: leave using out.",
        ),
        (
            [*URL, "--command", "!console-table value=1 raw-response=true"],
            "Only an XSOAR server takes raw-response: leave it out; --json shows all that the command returned.",
        ),
        (
            [*URL, "--command", "!console-table value=1 using-brand=Console retry-count=3"],
            "Only an XSOAR server takes retry-count and using-brand: leave them out.",
        ),
        ([*URL, "--command", "!console-fail debug-mode=on"], "debug-mode must be true or false, not 'on'."),
        ([*URL, "--command", "!test-module now=1"], "test-module has no argument now: it takes none."),
        ([*URL, "--command", "!warroom-fetch"], "Console has no command warroom-fetch: type help to see those it has. "),
        ([*URL, "--command", "help", "--json"], "help has no JSON output: leave --json out."),
        ([*URL, "--command", ""], "A command begins with an exclamation mark and its name"),
        ([*URL, "--command", "!console-tabel"], "Console has no command console-tabel: did you mean console-table?"),
        ([*URL, "--command", "!whatever"], "Console has no command whatever: type help to see those it has. "),
        ([*URL, "--command", "!console-table valeu=1"], "console-table has no argument valeu: did you mean value?"),
        ([*URL, "--command", "!console-table value=1 zzz=2"], "console-table has no argument zzz: it takes value, colour."),
        ([*URL, "--command", "!console-table value=1 colour=blue"], "The argument colour of console-table cannot be 'blue': "),
        ([*URL, "--command", "!console-choose several=red,blue"], "The argument several of console-choose cannot be 'blue': "),
        ([*URL, "--command", "!console-table"], "console-table needs the argument value"),
        (["--url", "", "--command", "!console-fail"], "The parameter url (Address) of Console is required: give it a value."),
    ],
)
def test_bad_usage_costs_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    """
    Given: arguments that cannot be right.
    When: the command line is run.
    Then: the status is 2 and one line says what is wrong.
    """
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_without_a_key_it_says_where_to_put_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: no key in the environment, and nobody to ask.
    When: a command is run.
    Then: the sentence names the variable.
    """
    monkeypatch.delenv("XSOAR_API_KEY")
    assert run(*URL, "--command", "!console-params") == 2
    assert capsys.readouterr().err == "The API key is missing: set the environment variable XSOAR_API_KEY.\n"


def test_help_is_printed_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: --help.
    When: the command line is run.
    Then: it shows the options and ends with 0.
    """
    assert run("--help") == 0
    assert "--key-id" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("a.txt", "a.txt"),
        ("../../up.txt", "up.txt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\up.txt", "up.txt"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("taken.txt", "taken (1).txt"),
        ("link.txt", "link (1).txt"),
        ("x" * 300 + ".txt", "x" * 100 + ".txt"),
        ("new\x1b[31m\nline.txt", "new[31mline.txt"),
    ],
)
def test_files_are_saved_in_this_folder_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, saved: str
) -> None:
    """
    Given: a command that gives a file whose name leads elsewhere, is taken, or is a link to somewhere.
    When: it is run.
    Then: the file is in the current folder under a harmless name that is printed, and nothing else was touched.
    """
    Path("taken.txt").write_text("mine")
    Path("link.txt").symlink_to(tmp_path / "elsewhere.txt")
    quoted = name.replace("\\", "\\\\")
    assert run(*URL, "--command", f'!console-file name="{quoted}"') == 0
    assert f"Saved the file {saved}." in capsys.readouterr().out
    assert Path(saved).read_text() == "bytes"
    assert {path.name for path in Path().iterdir()} == {"taken.txt", "link.txt", saved}
    assert Path("taken.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


def test_as_json_a_file_says_where_it_was_saved(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command that gives a file.
    When: its entries are asked for as JSON.
    Then: the entry names the saved file, and no path of the machine.
    """
    assert run(*URL, "--command", "!console-file name=a.txt", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["File"], entry["SavedAs"]) == ("a.txt", "a.txt")
    assert "FilePath" not in entry


def piped(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Let stdin be a pipe with these lines."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))


def test_lines_of_a_pipe_are_run_one_by_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: no --command, and lines that are help, wrong, failing and good, then exit and one more.
    When: they are piped in.
    Then: each is answered, a wrong one ends nothing, what follows exit is not run, and the status is that of the worst line.
    """
    piped(
        monkeypatch,
        "help",
        "",
        "# a comment",
        "what?",
        "!console-nothing",
        "!console-fail",
        "!console-table value=good",
        "exit",
        "!console-table value=late",
    )
    assert run(*URL) == 2
    out, err = capsys.readouterr()
    assert "!console-table" in out
    assert "good" in out
    assert "late" not in out
    assert [line.split(" ")[0] for line in err.splitlines()] == ["A", "Console", "Not"]


@pytest.mark.parametrize(("line", "status"), [("!console-log", 0), ("!console-fail", 1), ("hlep", 2)])
def test_the_worst_line_of_a_pipe_gives_the_status(monkeypatch: pytest.MonkeyPatch, line: str, status: int) -> None:
    """
    Given: a good line, one that is good, fails or is wrong, and a good one.
    When: they are piped in.
    Then: the status is 0, 1 or 2.
    """
    piped(monkeypatch, "!console-log", line, "!console-log")
    assert run(*URL) == status


def test_commands_of_a_pipe_as_json_are_an_object_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Given: --json and lines that are good, wrong and failing, and a word of the prompt.
    When: they are piped in.
    Then: stdout holds an object for each command that was run, on a line of its own, and nothing else.
    """
    piped(monkeypatch, "!console-context", "!console-nothing", "help", "!console-fail")
    assert run(*URL, "--json") == 2
    out, err = capsys.readouterr()
    good, failed = (json.loads(line) for line in out.splitlines())
    assert (good["command"], good["ok"], good["error"]) == ("console-context", True, "")
    assert good["context"] == {"A": {"B": [{"id": 1}, {"id": 2}]}}
    assert [entry["Contents"] for entry in good["entries"]] == ["one", "two"]
    assert (failed["command"], failed["ok"], failed["error"]) == ("console-fail", False, "Not today")
    assert len(err.splitlines()) == 2


def test_json_of_one_command_says_what_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: --json and a command that fails.
    When: it is run.
    Then: stdout is one object with the documented keys, the arguments completed by their defaults, and stderr is empty.
    """
    assert run(*URL, "--command", "!console-fail", "--json") == 1
    out, err = capsys.readouterr()
    assert list(json.loads(out)) == ["command", "args", "ok", "error", "entries", "context"]
    assert err == ""
    assert run(*URL, "--command", "!console-table value=x", "--json") == 0
    assert json.loads(capsys.readouterr().out)["args"] == {"value": "x", "colour": "red"}


def test_the_context_of_the_last_command_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: commands that put something into context, and nothing.
    When: context is asked for before and after each.
    Then: it is the nested context of the last one, or a sentence.
    """
    piped(monkeypatch, "context", "!console-context", "context", "!console-table value=x", "context")
    assert run(*URL) == 0
    out = capsys.readouterr().out
    assert out.startswith("No command has been run yet.\n")
    assert json.dumps({"A": {"B": [{"id": 1}, {"id": 2}]}}, indent=4) in out
    assert out.endswith("console-table put nothing into context.\n")


@pytest.mark.parametrize("key", ["k-3141", 'qu"ote\\key', "per%cent/key"])
def test_the_log_is_shown_without_the_key(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """
    Given: a command that writes its key, in several spellings, and an escape sequence into its log.
    When: the log is asked for at the prompt, with --log, and with --log FILE.
    Then: it holds the line without the key and the escape character; the file is for its owner alone, and is added to.
    """
    monkeypatch.setenv("XSOAR_API_KEY", key)
    line = "debug: the key is <API key>, in JSON \"<API key>\", in Python '<API key>', and [2Jred\n"
    piped(monkeypatch, "!console-log", "log")
    assert run(*URL) == 0
    assert capsys.readouterr().out == f"done\n{line}"
    assert run(*URL, "--command", "!console-log", "--log") == 0
    assert capsys.readouterr() == ("done\n", f"# !console-log\n{line}")
    for _ in range(2):
        assert run(*URL, "--command", "!console-log", "--log", "debug.log", "--json") == 0
    assert Path("debug.log").read_text() == 2 * f"# !console-log\n{line}"
    assert Path("debug.log").stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_script_that_crashes_costs_one_sentence(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    """
    Given: a command whose script ends with an exception that holds the key.
    When: it is run with --log.
    Then: the error is one sentence; the stack trace is in the log; the key is nowhere.
    """
    assert run(*URL, "--command", "!console-crash", "--log", "debug.log", *options) == 1
    out, err = capsys.readouterr()
    said = "The script failed with ValueError: bad key <API key> (the debug log says where)."
    assert (json.loads(out)["error"] if options else err.strip()) == said
    log = Path("debug.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "the key" not in out + err + log


def test_help_of_a_command_shows_its_arguments(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: help for commands with and without arguments, for one that changes something, and for a misspelt one.
    When: it is asked for.
    Then: it tells what the arguments are and may be, or which command was probably meant.
    """
    piped(monkeypatch, "help console-table", "help !console-context", "help console-tbale")
    assert run(*URL) == 2
    out, err = capsys.readouterr()
    assert "value (required) What to show." in out
    assert "colour (default red; one of red, green) Which colour." in out
    assert "It takes no arguments." in out
    assert "potentially harmful" in out
    assert err == "Console has no command console-tbale: did you mean console-table?\n"


@pytest.mark.parametrize("line", ["help", "!help", "?"])
@pytest.mark.parametrize("piped_in", [False, True])
def test_help_lists_each_command_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str, piped_in: bool
) -> None:
    """
    Given: help, !help or a question mark, with --command or from a pipe.
    When: it is asked for.
    Then: each command and each word stands in a line of its own with what it does, those that a server adds as well.
    """
    piped(monkeypatch, line)
    assert run(*URL, *([] if piped_in else ["--command", line])) == 0
    out, err = capsys.readouterr()
    shown = dict(row.strip().split(maxsplit=1) for row in out.splitlines())
    assert shown["!console-table"] == "Shows a table"
    assert shown["!console-wait"] == "Opens a named pipe for writing and waits until it is interrupted"
    assert shown["!test-module"] == "Tests the connection, like the Test button"
    assert "help" in shown
    assert err == ""


def test_a_list_of_predefined_values_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command whose argument takes several of its predefined values.
    When: it is run with two of them.
    Then: the script gets both.
    """
    assert run(*URL, "--command", '!console-choose several="red, dark blue"') == 0
    assert capsys.readouterr().out == "red, dark blue\n"


def test_every_command_can_show_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a command that writes a log.
    When: it is run with debug-mode=true and the instance named, and with debug-mode=false.
    Then: it is run both times, without those arguments, and the log without the key is shown the first time only.
    """
    assert run(*URL, "--command", '!console-log debug-mode=true using="warroom"', "--json") == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["args"], json.loads(out)["ok"]) == ({}, True)
    assert "is <API key>, in JSON" in err
    assert run(*URL, "--command", "!console-log debug-mode=false") == 0
    assert capsys.readouterr() == ("done\n", "")


def test_the_log_goes_to_its_file_and_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: --log FILE.
    When: a command is run with debug-mode=true.
    Then: its log is in the file, and is shown as well.
    """
    assert run(*URL, "--log", "debug.log", "--command", "!console-log debug-mode=true") == 0
    assert Path("debug.log").read_text() == capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "status", "shown"),
    [("https://there", 0, ("ok\n", "")), ("ftp://there", 1, ("", "The address must begin with https\n"))],
)
def test_test_is_pressed_from_the_prompt(
    capsys: pytest.CaptureFixture[str], url: str, status: int, shown: tuple[str, str]
) -> None:
    """
    Given: an instance whose Test passes, and one whose Test gives a sentence.
    When: !test-module is run.
    Then: it says ok, or the sentence with the status 1.
    """
    assert run("--url", url, "--command", "!test-module") == status
    assert capsys.readouterr() == shown


def test_a_fetch_can_be_looked_at_before_it_is_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: a tenant with sample incidents, and an instance that does not fetch yet.
    When: its fetch is run twice with debug-mode=true, then without it, as that of another instance, and by the script's command.
    Then: the incidents are shown both times, with the log; the others are a sentence with what to do.
    """
    piped(
        monkeypatch,
        "!warroom-fetch debug-mode=true",
        "!warroom-fetch debug-mode=true",
        "!warroom-fetch",
        "!Customer-fetch debug-mode=true",
        "!fetch-incidents",
    )
    assert warroom.main(["--local"]) == 2
    out, err = capsys.readouterr()
    assert out.count("A fetch would create 20 incidents") == 2
    assert out.count("Password reset mail with a look-alike link (1)") == 2
    assert "Informational" in out
    assert not re.search(r"\.\d{4,}Z", out)
    assert err.count("fetch-incidents: 20 new incidents") == 2
    assert err.splitlines()[-3:] == [
        "Incidents are not saved here: run !warroom-fetch debug-mode=true to see those that a fetch would create.",
        "There is no instance Customer. The existing ones are: warroom.",
        "Only the server runs fetch-incidents: run !warroom-fetch debug-mode=true to see what it would create.",
    ]


def test_a_fetch_for_scripts_gives_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a tenant with sample incidents.
    When: the fetch is shown as JSON, with at most two incidents.
    Then: the entry holds the fields of both, as they would be created.
    """
    options = ["--local", "--pack-params", "max_fetch=2", "--json"]
    assert warroom.main([*options, "--command", "!warroom-fetch debug-mode=true"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert [incident["dbotMirrorId"] for incident in entry["Contents"]] == ["1", "2"]
    assert [incident["severity"] for incident in entry["Contents"]] == [0, 0.5]
    assert [incident["sourceInstance"] for incident in entry["Contents"]] == ["warroom", "warroom"]


def test_files_are_saved_to_a_folder_that_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: --save-to with a folder that does not exist.
    When: a command that gives a file is run twice.
    Then: both files are in it, under names of their own that are printed.
    """
    for name in ("a.txt", "a (1).txt"):
        assert run(*URL, "--save-to", "new/folder", "--command", "!console-file name=a.txt") == 0
        assert f"Saved the file new/folder/{name}." in capsys.readouterr().out
        assert Path("new/folder", name).read_text() == "bytes"


def test_a_reader_of_a_pipe_may_go_away() -> None:
    """
    Given: a command line whose stdout is a pipe that nobody reads.
    When: it prints.
    Then: it ends with 1 and without a stack trace.
    """
    code = (
        "import sys; from pathlib import Path; from local_xsoar.cli.warroom import main; "
        f"sys.exit(main(sys.argv[1:], Path({str(CONSOLE)!r})))"
    )
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-c", code, *URL, "--command", "!console-params", "--json"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_local_tenant_to_try_the_pack_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: --local, and no key anywhere.
    When: the pack's search is run.
    Then: it finds sample incidents.
    """
    monkeypatch.delenv("XSOAR_API_KEY")
    assert warroom.main(["--local", "--command", "!xsoar-search-incidents max_results=3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["context"]["XSOAR"]["Incident"]) == 3
