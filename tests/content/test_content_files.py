"""Checks of the repository's files that demisto-sdk does not make."""

import json
import re
import struct
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "Packs/XSOARMirroring"
DATA_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("Packs", "local_xsoar", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".json", ".yml", ".yaml")
)
# The categories that the Marketplace accepts.
CATEGORIES = {
    "Analytics & SIEM",
    "Authentication & Identity Management",
    "Case Management",
    "Cloud Services",
    "Data Enrichment & Threat Intelligence",
    "Database",
    "Deception & Breach Simulation",
    "Email",
    "Endpoint",
    "Forensics & Malware Analysis",
    "Identity and Access Management",
    "IT Services",
    "Messaging and Conferencing",
    "Network Security",
    "Utilities",
    "Vulnerability Management",
}


def items() -> list[tuple[str, str, str]]:
    """Return (folder, id, file) of each content item of the pack."""
    found = []
    for path in sorted(PACK.rglob("*")):
        folder = path.relative_to(PACK).parts[0]
        if path.suffix not in (".json", ".yml") or path.parent == PACK or "test_data" in path.parts:
            continue
        item = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.append((folder, (item.get("commonfields") or item)["id"], path.name))
    return found


@pytest.mark.parametrize("name", DATA_FILES)
def test_data_files_parse(name: str) -> None:
    """
    Given: a JSON or YAML file of the pack or the tests.
    When: it is parsed.
    Then: it holds something. (demisto-sdk validate lets a broken JSON file pass.)
    """
    text = (ROOT / name).read_text(encoding="utf-8")
    assert (json.loads(text) if name.endswith(".json") else yaml.safe_load(text)) is not None


def test_ids_are_unique() -> None:
    """
    Given: all content items of the pack.
    When: their IDs are compared within each kind.
    Then: no two are the same, since the later one would silently replace the earlier one on a server.
    """
    times = Counter((folder, identifier) for folder, identifier, _ in items())
    assert len(times) >= 3
    assert [key for key, count in times.items() if count > 1] == []


def test_metadata_is_what_the_marketplace_accepts() -> None:
    """
    Given: the metadata of the pack.
    When: it is read.
    Then: category, version, description and marketplaces are ones that the Marketplace takes.
    """
    metadata = json.loads((PACK / "pack_metadata.json").read_text(encoding="utf-8"))
    assert metadata["name"] == "XSOAR Mirroring"
    assert set(metadata["categories"]) <= CATEGORIES
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["currentVersion"])
    assert 0 < len(metadata["description"]) <= 150
    assert metadata["marketplaces"] == ["xsoar"]
    assert metadata["keywords"]


def test_category_of_the_integration_is_approved() -> None:
    """
    Given: the integration.
    When: its category is read.
    Then: it is one of the approved ones. (demisto-sdk would have to download the list.)
    """
    integration = yaml.safe_load((PACK / "Integrations/XSOARMirroring/XSOARMirroring.yml").read_text(encoding="utf-8"))
    assert integration["category"] in CATEGORIES


def test_release_notes_end_with_the_current_version() -> None:
    """
    Given: the release notes of the pack.
    When: their file names are put in order of version.
    Then: the last is the current version; a first release has none.
    """
    version = json.loads((PACK / "pack_metadata.json").read_text(encoding="utf-8"))["currentVersion"]
    noted = sorted(tuple(map(int, path.stem.split("_"))) for path in PACK.glob("ReleaseNotes/*.md"))
    assert version == (".".join(map(str, noted[-1])) if noted else "1.0.0")


def test_image_is_a_small_transparent_png() -> None:
    """
    Given: the image of the integration.
    When: its header is read.
    Then: it is a PNG of 120 x 50 with transparency, of at most 10 KB.
    """
    image = (PACK / "Integrations/XSOARMirroring/XSOARMirroring_image.png").read_bytes()
    width, height, _, colours = struct.unpack(">IIBB", image[16:26])
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert (width, height) == (120, 50)
    assert colours == 6  # red, green, blue and alpha
    assert len(image) <= 10_000


def test_pre_commit_runs_without_downloads() -> None:
    """
    Given: the pre-commit configuration.
    When: its hooks are read.
    Then: all are local ones that call what the two environments hold, so that nothing is fetched.
    """
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {"ruff-check", "ruff-format", "content", "types", "xsoar-lint", "validate", "unit-tests"} <= {
        hook["id"] for hook in hooks
    }


@pytest.mark.parametrize("name", ["dev.in", "sdk.in"])
def test_requirements_are_pinned(name: str) -> None:
    """
    Given: a list of requirements.
    When: its lines are read.
    Then: each is a name and its one version: no range, no address, no option; and none stands twice.
    """
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in packages if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    assert len(packages) == len({line.split("==")[0].lower() for line in packages}) > 10


def test_makefile_has_the_promised_targets() -> None:
    """
    Given: the Makefile.
    When: its targets are read.
    Then: all that the documentation promises are there, and `make` alone lists them.
    """
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))
    assert {"demo", "pair", "test", "test-real", "bench", "pack", "serve", "warroom", "lint", "docs", "clean", "help"} <= targets
    assert ".DEFAULT_GOAL := help" in text


def test_make_help_says_where_options_go() -> None:
    """
    Given: the Makefile.
    When: its help is asked for.
    Then: it ends with how a command is given an option.
    """
    shown = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert shown.splitlines()[-1].endswith('make demo ARGS="--keep"')


def test_an_option_that_make_would_take_itself_is_refused() -> None:
    """
    Given: the option of the demo, given to make, which has one that begins alike.
    When: the demo is to run.
    Then: it does not, and make says where the option goes.
    """
    command = ["make", "--no-print-directory", "--dry-run", "demo", "--keep"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert 'make demo ARGS="--keep"' in run.stderr


def test_ci_runs_make_test() -> None:
    """
    Given: the script that CI runs.
    When: its last line is read.
    Then: it is `make test`, so that everyone can run what CI runs.
    """
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()[-1] == "exec make test"


def test_validation_codes_stand_once() -> None:
    """
    Given: the configuration of demisto-sdk validate.
    When: its codes are read.
    Then: none stands twice, none is only a warning, and a .pack-ignore can switch off the one for which there is a reason.
    """
    config = tomllib.loads((ROOT / "tools/validation_config.toml").read_text(encoding="utf-8"))
    codes = Counter(config["path_based_validations"]["select"] + config["use_git"]["select"])
    assert [code for code, count in codes.items() if count > 1] == []
    assert {"IN131", "BA106", "DS108", "ST111", "RM110", "RN108"} <= codes.keys()
    assert config["path_based_validations"]["warning"] == config["use_git"]["warning"] == []
    assert config["ignorable_errors"] == ["IF115"]


def test_pack_ignores_nothing_without_a_reason() -> None:
    """
    Given: the pack's .pack-ignore.
    When: it is read.
    Then: it switches off one code, for single files, and says above why.
    """
    text = (PACK / ".pack-ignore").read_text(encoding="utf-8")
    assert set(re.findall(r"^ignore=(.*)$", text, flags=re.MULTILINE)) == {"IF115"}
    assert "[pack]" not in text
    assert text.startswith("# IF115 ")
