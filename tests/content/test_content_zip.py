"""Checks of the tool that compares the packed zip with its sources: it accepts a good one and names what is wrong with others."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tools.check_pack import find_problems

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """import demistomock as demisto
from CommonServerPython import *  # noqa: F401

from CommonServerUserPython import *  # noqa: F401


def main() -> None:
    return_results(demisto.command())
"""
UNIFIED = "Integrations/integration-Small.yml"
AUTOMATION = "Scripts/script-SmallStep.yml"
PICTURE = "doc_files/Small_Playbook.png"
MAPPER = "Classifiers/classifier-mapper-incoming-Small.json"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A small pack as it lies in a repository."""
    folder = tmp_path / "Packs/Small"
    integration = folder / "Integrations/Small"
    integration.mkdir(parents=True)
    (folder / "Classifiers").mkdir()
    (folder / "pack_metadata.json").write_text('{"name": "Small", "currentVersion": "1.2.10"}')
    (folder / "README.md").write_text("A small pack.")
    (folder / MAPPER).write_text('{"id": "Small Mapper", "type": "mapping-incoming", "mapping": {}}')
    (integration / "Small.yml").write_text("name: Small\nscript:\n  script: '-'\n")
    (integration / "Small.py").write_text(SOURCE)
    automation = folder / "Scripts/SmallStep"
    automation.mkdir(parents=True)
    (automation / "SmallStep.yml").write_text("name: SmallStep\nscript: '-'\n")
    (automation / "SmallStep.py").write_text(SOURCE)
    (folder / "doc_files").mkdir()
    (folder / PICTURE).write_bytes(b"a picture")
    (folder / "TestPlaybooks").mkdir()
    (folder / "TestPlaybooks/playbook-Small_-_Test.yml").write_text("id: Small - Test")
    return folder


@pytest.fixture
def entries(pack: Path) -> dict[str, str]:
    """The entries of the zip that demisto-sdk makes of the small pack: name -> text."""
    script = (
        "register_module_line('Small', 'start', __line__())\nCONSTANT_PACK_VERSION = '1.2.10'\n"
        "demisto.debug('pack id = Small, pack version = 1.2.10')\n\n\n\n\n\n\n"
        "def main() -> None:\n    return_results(demisto.command())\n\nregister_module_line('Small', 'end', __line__())\n"
    )
    unified = {
        "name": "Small",
        "script": {"script": script, "type": "python"},
        "image": "data:image/png;base64,AAAA",
        "detaileddescription": "How to connect.",
        "defaultmapperin": "Small Mapper",
    }
    return {
        "metadata.json": '{"currentVersion": "1.2.10"}',
        "pack_metadata.json": (pack / "pack_metadata.json").read_text(),
        "README.md": "A small pack.",
        MAPPER: (pack / MAPPER).read_text(),
        UNIFIED: yaml.safe_dump(unified),
        AUTOMATION: yaml.safe_dump({"name": "SmallStep", "script": script.replace("Small", "SmallStep")}),
        PICTURE: "a picture",
    }


def zipped(entries: dict[str, str], folder: Path) -> Path:
    """Write the entries as a zip and return its path."""
    path = folder / "Small.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return path


def test_a_good_zip_passes(pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: a zip as demisto-sdk makes it.
    When: it is compared with its sources.
    Then: nothing is wrong.
    """
    assert find_problems(zipped(entries, tmp_path), pack) == []


@pytest.mark.parametrize(
    "shown",
    ["![A picture](https://marketplace.example.com/x.png)", '<img width="9" src="https://marketplace.example.com/x.png">'],
)
def test_a_picture_that_nobody_serves_is_named(shown: str, pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: a zip whose README shows a picture of a marketplace.
    When: it is checked.
    Then: the picture is named: nobody serves it for a pack that is uploaded.
    """
    entries["README.md"] = f"A small pack.\n\n{shown}\n"
    problems = find_problems(zipped(entries, tmp_path), pack)
    assert problems == ["README.md shows a picture that nobody serves: https://marketplace.example.com/x.png."]


@pytest.mark.parametrize("name", ["metadata.json", "pack_metadata.json", "README.md", MAPPER, UNIFIED, AUTOMATION, PICTURE])
def test_a_missing_entry_is_named(name: str, pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: a zip without one of its entries.
    When: it is checked.
    Then: that entry is named as missing.
    """
    del entries[name]
    assert f"{name} is missing from the zip." in find_problems(zipped(entries, tmp_path), pack)


@pytest.mark.parametrize(
    "name",
    [
        "Integrations/Small.py",
        "local_xsoar/host.json",
        "Integrations/Small_test.yml",
        "tests/x.json",
        "TestPlaybooks/p.yml",
        "notes.txt",
    ],
)
def test_what_does_not_belong_is_named(name: str, pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: a zip with something that a server has no use for.
    When: it is checked.
    Then: it is named, and nothing else.
    """
    entries[name] = '{"a": 1}'
    problems = find_problems(zipped(entries, tmp_path), pack)
    assert [problem.split(":")[0] for problem in problems] == [f"{name} does not belong into the zip"]


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "expected"),
    [
        (UNIFIED, r"return_results", "return_error", "is not the one in Small.py"),
        (UNIFIED, r"def main", "def def main", "does not compile: invalid syntax"),
        (UNIFIED, r"image: data:image/png", "image: data:image/svg", "holds no PNG image"),
        (UNIFIED, r"How to connect\.", "", "holds no detailed description"),
        (UNIFIED, r"defaultmapperin: Small Mapper", "defaultmapperin: Large Mapper", "'Large Mapper' as defaultmapperin"),
        (AUTOMATION, r"return_results", "return_error", "is not the one in SmallStep.py"),
        (AUTOMATION, r"(?s).*", "name: SmallStep", "holds no script"),
        (UNIFIED, r"(?s).*", "script: {", "is empty or does not parse"),
        (UNIFIED, r"(?s).*", "name: Small", "holds no script"),
        (MAPPER, r"mapping-incoming", "mapping-outgoing", "no such mapper of the type mapping-incoming"),
        (MAPPER, r"\{", "", "is empty or does not parse"),
        ("metadata.json", r"1\.2\.10", "1.2.9", "is 1.2.10 in its pack_metadata.json, but 1.2.9 in metadata.json"),
    ],
)
def test_a_wrong_entry_is_named(
    name: str, pattern: str, replacement: str, expected: str, pack: Path, entries: dict[str, str], tmp_path: Path
) -> None:
    """
    Given: a zip in which one entry is not what the sources say.
    When: it is checked.
    Then: a sentence names the entry and what is wrong.
    """
    entries[name] = re.sub(pattern, replacement, entries[name], count=1)
    problems = find_problems(zipped(entries, tmp_path), pack)
    assert any(expected in problem for problem in problems), problems


def test_release_notes_of_an_older_version_are_named(pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: release notes up to 1.2.9 for a pack of version 1.2.10.
    When: the zip is checked.
    Then: that the newest are too old is said; and with those of 1.2.10 nothing is wrong, though "1_2_9" sorts behind them as
    text.
    """
    (pack / "ReleaseNotes").mkdir()
    (pack / "ReleaseNotes/1_2_9.md").write_text("Older.")
    entries["ReleaseNotes/1_2_9.md"] = "Older."
    assert "1.2.9 in the newest file of ReleaseNotes" in find_problems(zipped(entries, tmp_path), pack)[0]

    (pack / "ReleaseNotes/1_2_10.md").write_text("Newer.")
    entries["ReleaseNotes/1_2_10.md"] = "Newer."
    assert find_problems(zipped(entries, tmp_path), pack) == []


def test_the_command_line_gives_sentences(pack: Path, tmp_path: Path) -> None:
    """
    Given: no zip, and a file that is none.
    When: the tool is started with it.
    Then: it ends with status 1 and one sentence that says what to do, without a stack trace.
    """
    (tmp_path / "broken.zip").write_text("not a zip")
    for name in ("none.zip", "broken.zip"):
        run = subprocess.run(
            [sys.executable, ROOT / "tools/check_pack.py", tmp_path / name, pack], capture_output=True, text=True, cwd=tmp_path
        )
        assert (run.returncode, run.stdout) == (1, "")
        assert len(run.stderr.splitlines()) == 1
        assert "`make pack`" in run.stderr


def test_the_command_line_reports_a_good_zip(pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: a good zip.
    When: the tool is started with it.
    Then: it ends with status 0 and says so.
    """
    path = zipped(entries, tmp_path)
    run = subprocess.run([sys.executable, ROOT / "tools/check_pack.py", path, pack], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"Small.zip is in order: 7 files, {path.stat().st_size} bytes.\n"


def test_metadata_may_be_anything(pack: Path, entries: dict[str, str], tmp_path: Path) -> None:
    """
    Given: a metadata.json that holds a list instead of an object.
    When: the zip is checked.
    Then: its version counts as missing; nothing is raised.
    """
    entries["metadata.json"] = json.dumps(["1.2.10"])
    assert "but None in metadata.json" in find_problems(zipped(entries, tmp_path), pack)[0]
