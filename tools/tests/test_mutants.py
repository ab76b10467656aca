"""The mutants: which are made and drawn, and what is told of those that are killed, that survive, and that are listed."""

from pathlib import Path

import pytest

from tools.mutants import main
from tools.mutations import draw, make_mutants

SCRIPT = '''""" COUNTING """


def is_many(number: int) -> bool:
    return number > 5


def half(number: int) -> int:
    return number // 2


""" TALK """


def greet(names: list[str]) -> None:
    log("greeting")
    for name in names:
        print(name)
'''
TESTS = """from counting import half, is_many


def test_is_many():
    assert is_many(9) and not is_many(1)


def test_half():
    assert half(8) == 4
"""
CONFIG = """script = "pack/counting.py"
sample = 9
seed = 1
bar = 0.5
copied = ["pack"]
tests = ["pack"]
slower = []
seconds_a_test = 30
seconds_a_mutant = 60
silent = 'log'
parts = [{ section = "COUNTING" }]
"""
LISTED = """
[[survivors]]
function = "is_many"
old = "return number > 5"
new = "return number >= 5"
reason = "Nobody asks about five."
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one script and two tests, in which the tool runs."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"pack/counting.py": SCRIPT, "pack/test_counting.py": TESTS, "tools/mutants.toml": CONFIG}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_fault_is_one_edit() -> None:
    """
    Given: a script with comparisons, a call, a line for the log and a chosen default.
    When: its mutants are made.
    Then: each shows its line before and after, and is a script that compiles; the line for the log is left alone.
    """
    mutants = make_mutants(SCRIPT, "log")

    for mutant in mutants:
        compile(mutant.script, "mutant", "exec")
    assert {(each.section, each.function, each.old, each.new) for each in mutants} == {
        ("COUNTING", "is_many", "return number > 5", "return number >= 5"),
        ("COUNTING", "is_many", "return number > 5", "return number <= 5"),
        ("COUNTING", "is_many", "return number > 5", "return number > 6"),
        ("COUNTING", "is_many", "return number > 5", "return False"),
        ("COUNTING", "half", "return number // 2", "return (number * 2)"),
        ("COUNTING", "half", "return number // 2", "return number // 3"),
        ("COUNTING", "half", "return number // 2", "return 0"),
        ("TALK", "greet", "print(name)", "pass"),
    }


@pytest.mark.parametrize(
    ("body", "old", "new"),
    [
        ("return a and not b", "return a and not b", "return (a or not b)"),
        ("return a and not b", "return a and not b", "return a and (b)"),
        ("if a:\n        b = min(b, 2)", "if a:", "if (not a):"),
        ("if a:\n        b = min(b, 2)", "if a:", "if False:"),
        ("if a:\n        b = min(b, 2)", "b = min(b, 2)", "b = max(b, 2)"),
        (
            "return [each for each in a if each in b]",
            "return [each for each in a if each in b]",
            "return [each for each in a if True]",
        ),
        ("return replace(a, n=b, m=1)", "return replace(a, n=b, m=1)", "return replace(a, m=1)"),
        ("return known | a", "return known | a", "return known"),
        ("a.sent = b", "a.sent = b", "pass"),
        ("a += b", "a += b", "a -= b"),
        ("try:\n        a()\n    except (KeyError, OSError):\n        b()", "except (KeyError, OSError):", "except (OSError,):"),
        ("while True:\n        continue", "continue", "break"),
        ("return 'ä', a < b < 3", "return 'ä', a < b < 3", "return 'ä', a < b <= 3"),
        ("return a == (\n        b\n    )", "return a == ( b )", "return a != b"),
    ],
)
def test_kinds_of_faults(body: str, old: str, new: str) -> None:
    """
    Given: a function with a decision or a write.
    When: its mutants are made.
    Then: the fault of that kind is among them.
    """
    mutants = make_mutants(f"def work(a, b):\n    {body}\n")
    assert ("work", old, new) in {each.key for each in mutants}


def test_the_draw_is_even_and_stays() -> None:
    """
    Given: functions with several mutants each.
    When: some are drawn, and again after lines were added above and to another function.
    Then: each function gives one before any gives a second, and the rest of the draw is the same.
    """
    mutants = make_mutants(SCRIPT)
    drawn = draw(mutants, 3, seed=7)
    changed = make_mutants("import os\n" + SCRIPT.replace("print(name)", "print(name + name)"))

    assert {each.function for each in drawn} == {"is_many", "half", "greet"}
    assert [each.key for each in draw(mutants, 3, seed=7)] == [each.key for each in drawn]
    kept = {each.key for each in drawn if each.function != "greet"}
    assert kept <= {each.key for each in draw(changed, 3, seed=7)}
    assert any(draw(mutants, 3, seed=seed) != drawn for seed in range(8, 20))


def test_what_is_killed_and_what_survives(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: tests that ask for no number near the limit, and a listed reason for one of the survivors.
    When: all mutants are tried.
    Then: survivors are told with their place and the reason, if one is listed; the bar is met.
    """
    (project / "tools/mutants.toml").write_text(CONFIG + LISTED)

    assert main([]) == 0

    told = capsys.readouterr().out
    assert "pack/counting.py:5: is_many: return number > 5  ->  return number >= 5\n    Nobody asks about five." in told
    assert "pack/counting.py:5: is_many: return number > 5  ->  return number > 6\n    no reason is listed" in told
    assert "5 of 7 mutants are killed" in told


def test_below_the_bar_is_a_failure(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a bar that is not met, and a listed survivor that the script no longer gives.
    When: the mutants of one function are tried.
    Then: the status is 1, and the listed one is to be taken out.
    """
    (project / "tools/mutants.toml").write_text(CONFIG.replace("0.5", "0.95") + LISTED.replace("is_many", "is_some"))

    assert main(["--only", "is_many"]) == 1

    told = capsys.readouterr().out
    assert "2 of 4 mutants are killed" in told
    assert "is_some" in told
    assert "which is no longer made: take it out." in told


def test_a_part_that_is_gone_is_named(project: Path) -> None:
    """
    Given: a configuration that names a section which the script does not hold.
    When: the tool runs.
    Then: it ends with a sentence that names the section.
    """
    (project / "tools/mutants.toml").write_text(CONFIG.replace("COUNTING", "GONE"))
    with pytest.raises(SystemExit, match=r"GONE.*the script does not hold"):
        main([])
