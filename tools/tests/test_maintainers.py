"""What a maintainer's editor, hooks and terminal need: paths that are there, a result line, findings without noise."""

import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]

PASSED = """\
Running validation on all files.
Starting validate items.
<green>All validations passed.</green>
<red>Validate summary
The following errors were thrown as a part of this pr: .
If the AG100 validation in the pre-commit GitHub Action fails, the pull request cannot be force-merged.
</red>
<green>#############################################################################
Please note that the PR can be force merged from the validation perspective.
############################################################################
</green>
"""
FAILED = """\

<cyan>================= Running on branch work =================</cyan>
######## - Added committed:
Packs/XSOARMirroring/pack_metadata.json

Running on related files:
['Packs/XSOARMirroring/Scripts/conftest.yml']
Invalid content path provided: Packs/XSOARMirroring/Scripts/conftest.yml. Please provide a valid content item.
Invalid content path provided: Packs/XSOARMirroring/Scripts/Other.yml. Please provide a valid content item.
<red>Packs/XSOARMirroring/pack_metadata.json: [PA114] - The version was not raised.</red>
<red>Validate summary
The following errors were thrown as a part of this pr: PA114.
The following errors cannot be ignored: PA114.
</red>
"""


def plain(text: str) -> list[str]:
    """Return the lines that are left of demisto-sdk's output."""
    command = ["sed", "-E", "-f", str(ROOT / "tools/plain_sdk.sed")]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.splitlines()


def test_what_means_nothing_here_is_not_printed() -> None:
    """
    Given: what demisto-sdk prints where nothing is wrong.
    When: it passes through the filter.
    Then: one line is left, without marks of colours.
    """
    assert plain(PASSED) == ["All validations passed."]


def test_findings_are_printed() -> None:
    """
    Given: what demisto-sdk prints where something is wrong.
    When: it passes through the filter.
    Then: each finding is left, a path that it cannot read too.
    """
    assert plain(FAILED) == [
        "Invalid content path provided: Packs/XSOARMirroring/Scripts/Other.yml. Please provide a valid content item.",
        "Packs/XSOARMirroring/pack_metadata.json: [PA114] - The version was not raised.",
        "The following errors were thrown as a part of this pr: PA114.",
        "The following errors cannot be ignored: PA114.",
    ]


def test_a_quiet_run_of_tests_ends_with_its_result(tmp_path: Path) -> None:
    """
    Given: the settings of pytest.
    When: a test is run with -q.
    Then: the last line says how it went.
    """
    (tmp_path / "test_one.py").write_text("def test_one() -> None:\n    assert True\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), f"--rootdir={tmp_path}", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert run.stdout.splitlines()[-1].startswith("1 passed in "), run.stdout + run.stderr


def test_editors_find_the_modules_of_the_platform() -> None:
    """
    Given: the settings of pyright, which VS Code reads too, and those of PyCharm.
    When: their folders are looked for.
    Then: both name the same ones, demistomock, CommonServerPython and what the unit tests share lie in them.
    """
    named = SETTINGS["pyright"]["extraPaths"]
    module = ElementTree.parse(ROOT / ".idea/xsoar-mirroring.iml")  # noqa: S314  (a file of ours)
    sources = [str(folder.get("url")).removeprefix("file://$MODULE_DIR$/") for folder in module.iter("sourceFolder")]

    assert sources == named
    for name in ("demistomock.py", "CommonServerPython.py", "XSOARMirroring.py", "stand_ins.py"):
        assert any((ROOT / folder / name).is_file() for folder in named), name
    assert all((ROOT / file).is_file() for file in SETTINGS["pyright"]["ignore"])


def test_hooks_download_nothing() -> None:
    """
    Given: the hooks for git.
    When: their sources are read.
    Then: all are local and run what the environments of this folder hold.
    """
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]

    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {hook["entry"].split()[0] for hook in hooks} <= {"make", ".venv/bin/ruff", ".venv/bin/python"}
