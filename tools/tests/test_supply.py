"""What is installed and handed out: every package is pinned with its digests, and the bills of materials tell what there is."""

import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
import yaml

from tools import sbom

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
SCRIPT = "import demistomock as demisto\nfrom CommonServerPython import *\nimport json\n"


def pins(text: str) -> dict[str, str]:
    """Return the versions that a list of requirements pins, by normalised name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize("name", ["dev", "sdk"])
def test_every_package_is_pinned_with_its_digests(name: str) -> None:
    """
    Given: an environment's list.
    When: it is read.
    Then: each package has a version and digests, and it names no index.
    """
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    assert [line for line in lines if not re.match(r"[A-Za-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
    assert not re.search(r"https?://|--index|--find-links|file:", text)


@pytest.mark.parametrize("name", ["dev", "sdk"])
def test_the_digests_are_of_the_packages_that_were_chosen(name: str) -> None:
    """
    Given: the list that people change and the one with digests.
    When: compared.
    Then: both have the same versions.
    """
    chosen, locked = ((REQUIREMENTS / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("in", "txt"))
    assert pins(locked) == pins(chosen), "Run make lock."


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A small pack's zip."""
    path = tmp_path / "pack.zip"
    item = {"name": "x", "script": {"type": "python", "dockerimage": "demisto/python3:1.2.3", "script": SCRIPT}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pack_metadata.json", json.dumps({"name": "Pack", "currentVersion": "1.2.0", "description": "d"}))
        archive.writestr("Integrations/integration-x.yml", yaml.safe_dump(item))
    return path


def test_the_bill_of_a_pack_lists_its_files_and_what_the_platform_gives(pack: Path) -> None:
    """
    Given: a pack.
    When: its bill is made, twice.
    Then: it lists files, image and modules, and both are the same.
    """
    bill = sbom.pack_bill(pack)
    assert bill["metadata"]["component"]["version"] == "1.2.0"
    components = {component["bom-ref"]: component for component in bill["components"]}
    with zipfile.ZipFile(pack) as archive:
        for name in archive.namelist():
            digest = hashlib.sha256(archive.read(name)).hexdigest()
            assert components[f"file:{name}"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert components["image:demisto/python3:1.2.3"]["version"] == "1.2.3"
    assert {"given:requests", "given:dateparser", "given:CommonServerPython"} <= set(components)
    assert sbom.pack_bill(pack) == bill
    assert sorted(components) == bill["dependencies"][0]["dependsOn"]


def test_an_import_that_nobody_gives_is_noticed(pack: Path) -> None:
    """
    Given: a script that imports another package.
    When: its imports are looked at.
    Then: that one is named, and no other.
    """
    assert sbom.foreign_imports(pack) == set()
    item = {"name": "y", "dockerimage": "demisto/python3:1.2.3", "script": SCRIPT + "from lxml import etree\n"}
    with zipfile.ZipFile(pack, "a") as archive:
        archive.writestr("Scripts/script-y.yml", yaml.safe_dump(item))
    assert sbom.foreign_imports(pack) == {"lxml"}


def test_the_bill_of_an_environment_lists_each_package(pack: Path) -> None:
    """
    Given: an environment's list.
    When: its bill is made.
    Then: it holds each package with its version, address and digests.
    """
    text = (REQUIREMENTS / "dev.txt").read_text(encoding="utf-8")
    bill = sbom.environment_bill("dev", text)
    assert {component["name"]: component["version"] for component in bill["components"]} == pins(text)
    for component in bill["components"]:
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert component["externalReferences"]
