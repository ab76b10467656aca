"""Writes software bills of materials (CycloneDX 1.6, JSON) into dist/: of the pack, and of the two development environments.

    python tools/sbom.py        (or: make sbom)

The pack's lists each file of dist/XSOARMirroring.zip with its digest, and what it needs of the platform: the modules that its
scripts import are not in the zip; the image named in its files gives them. The environments' list each package of
requirements/*.txt with the digests of its files. The same sources give the same lists: they hold no time and no random number.
"""

import ast
import hashlib
import json
import re
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ZIP = ROOT / "dist/XSOARMirroring.zip"
ENVIRONMENTS = {"dev": "what runs the local XSOAR, the tests and the checks", "sdk": "demisto-sdk, which checks and packs"}
# The modules that the server puts in front of each script; they are the platform's own.
PLATFORM_MODULES = ("demistomock", "CommonServerPython", "CommonServerUserPython")
# What CommonServerPython needs of the image for the functions that the scripts use.
IMAGE_PACKAGES = ("requests", "urllib3", "dateparser")


def bill(name: str, version: str, description: str, components: list[dict[str, Any]], license_id: str = "MIT") -> dict[str, Any]:
    """Return a bill of materials of an application; its serial number follows from what it holds."""
    content: dict[str, Any] = {
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": name,
                "name": name,
                "version": version,
                "description": description,
                "licenses": [{"license": {"id": license_id}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": sorted(component["bom-ref"] for component in components)}],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    serial = uuid.UUID(bytes=digest[:16], version=4)
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", **head, **content}


def pack_bill(zip_path: Path) -> dict[str, Any]:
    """Return the bill of a pack's zip: its files, its platform image, and what the image and the server give."""
    with zipfile.ZipFile(zip_path) as archive:
        files = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    metadata = json.loads(files["pack_metadata.json"])
    components: list[dict[str, Any]] = [
        {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": [hashed(content)]}
        for name, content in sorted(files.items())
    ]
    images = sorted({image for name, content in files.items() for image in images_of(name, content)})
    for image in images:
        repository, _, tag = image.partition(":")
        components.append(
            {"type": "container", "bom-ref": f"image:{image}", "name": repository, "version": tag, "scope": "required"}
        )
    for package in IMAGE_PACKAGES:
        components.append(given(package, f"pkg:pypi/{package}", f"given by the image {', '.join(images)}"))
    for module in PLATFORM_MODULES:
        components.append(given(module, "", "given by the Cortex XSOAR server"))
    return bill(metadata["name"], metadata["currentVersion"], metadata["description"], components)


def given(name: str, purl: str, by: str) -> dict[str, Any]:
    """Return the component for what is not in the zip; its version is that of who gives it."""
    component = {"type": "library", "bom-ref": f"given:{name}", "name": name, "scope": "excluded", "description": by}
    return component | ({"purl": purl} if purl else {})


def hashed(content: bytes) -> dict[str, str]:
    """Return the digest of a file as the bill spells it."""
    return {"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}


def images_of(name: str, content: bytes) -> list[str]:
    """Return the images that the scripts of a file run in."""
    if not name.endswith(".yml"):
        return []
    item = yaml.safe_load(content)
    script = item.get("script") if isinstance(item.get("script"), dict) else item
    return [str(script["dockerimage"])] if script.get("dockerimage") else []


def foreign_imports(zip_path: Path) -> set[str]:
    """Return the modules that the scripts of the zip import and that are neither Python's own nor the server's."""
    found: set[str] = set()
    with zipfile.ZipFile(zip_path) as archive:
        for name in archive.namelist():
            item = yaml.safe_load(archive.read(name)) if name.endswith(".yml") else {}
            script = item.get("script")
            text = script.get("script") if isinstance(script, dict) else script
            for node in ast.walk(ast.parse(text)) if isinstance(text, str) and not name.startswith("Playbooks/") else ():
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found.update(name.partition(".")[0] for name in names)
    return found - set(sys.stdlib_module_names) - set(PLATFORM_MODULES)


def environment_bill(name: str, requirements: str) -> dict[str, Any]:
    """Return the bill of an environment, from its requirements with hashes."""
    components: list[dict[str, Any]] = []
    for line in requirements.replace("\\\n", " ").splitlines():
        pinned = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)
        if not pinned:
            continue
        package, version = re.sub(r"[-_.]+", "-", pinned[1]).lower(), pinned[2]
        purl = f"pkg:pypi/{package}@{version}"
        # The files of a release differ in their digests: these are all that may be installed.
        files = [
            {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": digest}]} for digest in digests(line)
        ]
        components.append(
            {"type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl, "externalReferences": files}
        )
    return bill(f"xsoar-mirroring-{name}", "1.0.0", f"Development environment: {ENVIRONMENTS[name]}", components)


def digests(line: str) -> list[str]:
    """Return the digests that a requirement allows."""
    return re.findall(r"--hash=sha256:([0-9a-f]{64})", line)


def main() -> int:
    """Write all bills; returns the exit status."""
    if not ZIP.exists():
        sys.stderr.write(f"There is no {ZIP.relative_to(ROOT)}: run make pack.\n")
        return 1
    unlisted = foreign_imports(ZIP) - set(IMAGE_PACKAGES)
    if unlisted:
        sys.stderr.write(f"The scripts import {', '.join(sorted(unlisted))}: list it in tools/sbom.py.\n")
        return 1
    bills = {"XSOARMirroring": pack_bill(ZIP)}
    for name in ENVIRONMENTS:
        bills[name] = environment_bill(name, (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"))
    for name, content in bills.items():
        path = ROOT / "dist" / f"{name}.cdx.json"
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}: {len(content['components'])} components.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
