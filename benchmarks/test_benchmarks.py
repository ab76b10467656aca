"""What `make bench` is made of, on small work: that it measures what it says. Its figures are of no matter here."""

from pathlib import Path

import pytest

from benchmarks import growth, row, script_runs
from benchmarks.__main__ import stolen, with_run
from benchmarks.remote import Remote
from benchmarks.script_runs import Server


def test_a_run_is_of_the_real_script_against_a_tenant_of_its_own(tmp_path: Path) -> None:
    """
    Given: a remote tenant in a process of its own, with two incidents and a file.
    When: a fetch is run that keeps nothing, and one that keeps.
    Then: both bring all of it; the remote has counted the calls; only what was kept is known later, and no file is left behind.
    """
    with Remote(tmp_path / "remote") as remote:
        remote.tenant.create_incident({"name": "one"}, attachments=[("report.txt", b"text")])
        remote.tenant.create_incident({"name": "two"})
        server = Server(remote.params, tmp_path / "work")
        for keep in (False, True):
            run = server.run("fetch-incidents", at_once=2, keep=keep)
            assert [incident["name"] for incident in run.incidents] == ["one", "two"]
            assert run.files == 1
            seen = remote.seen()
            assert seen.paths[0] == "GET /xsoar/about"
            assert len(seen.paths) == len(seen.own_seconds) == 4
            assert 1 <= seen.most_at_once <= 2
        assert server.run("fetch-incidents").incidents == []
    assert list((tmp_path / "work").iterdir()) == []


def test_a_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    """
    Given: an instance without an address.
    When: a command is run.
    Then: it is an error that holds the script's sentence.
    """
    with pytest.raises(RuntimeError, match="XSOAR Server URL is blank"):
        Server({"credentials_api_key": {"password": tmp_path.name}}, tmp_path).run("get-mapping-fields")


def test_a_run_leaves_the_platforms_modules_as_they_were(tmp_path: Path) -> None:
    """
    Given: the stand-ins of a run.
    When: the run is over, in an error too.
    Then: the modules are as before.
    """
    before = dict(vars(script_runs.demisto))
    with pytest.raises(RuntimeError):
        Server({}, tmp_path).run("get-mapping-fields")
    assert dict(vars(script_runs.demisto)) == before


@pytest.mark.parametrize(
    ("times", "is_flat", "is_straight"),
    [([1.0, 1.1, 1.2], True, True), ([1.0, 1.9, 10.9], False, True), ([1.0, 1.9, 30.0], False, False)],
)
def test_growth_is_told_from_three_sizes(times: list[float], is_flat: bool, is_straight: bool) -> None:
    """
    Given: times that stay, grow as the size, or faster.
    When: they are judged.
    Then: flat and straight are told apart.
    """
    sizes = (100, 1_000, 10_000)
    assert growth.flat("work", sizes, times)["holds"] is is_flat
    assert growth.straight("work", sizes, times)["holds"] is is_straight


def test_a_run_takes_its_place_in_the_document() -> None:
    """
    Given: the document with an older run.
    When: a run is written into it.
    Then: it has its table, and the rest is as it was.
    """
    about = {
        "date": "2026-03-01T12:00:00+00:00",
        "machine": "x86_64",
        "processors": 2,
        "python": "3.11",
        "packages": {"requests": "2"},
        "load at the beginning": [0.1, 0, 0],
        "load at the end": [1.2, 0, 0],
        "stolen": 0.061,
    }
    rows = [row("a fetch", "2 x", "bare", "at most 4 x", True), row("a round", r"9 x \1", "one", "at most 4 x", False)]
    text = with_run("# Title\n\nWhy.\n\n## A run\n\nolder\n\n| a |\n\n## Growth\n\nHow.\n", about, rows)

    assert text.startswith("# Title\n\nWhy.\n\n## A run\n\n`make bench ARGS=--docs` on 2026-03-01, x86_64 with 2 ")
    assert "| a fetch | 2 x | bare | at most 4 x | yes |\n" in text
    assert text.endswith("| a round | 9 x \\1 | one | at most 4 x | **no** |\n\n## Growth\n\nHow.\n")
    assert "other machines took 6% of the time" in text
    assert "older" not in text
    assert with_run(text, about, rows) == text


@pytest.mark.parametrize(("after", "part"), [([4, 0, 3, 90, 5, 0, 0, 1], 0.125), ([0, 0, 0, 9, 0, 0, 0, 0], 0.0)])
def test_what_other_machines_took_is_told_from_the_busy_time(after: list[int], part: float) -> None:
    """
    Given: what the processors did meanwhile.
    When: it is asked what was stolen.
    Then: it is a part of the busy time.
    """
    assert stolen([0] * 8, after) == part
