"""Checks the pack that is about to be uploaded: dist/XSOARMirroring.zip against the sources in Packs/XSOARMirroring.

    python tools/check_pack.py [zip] [pack folder]        (or: make check-pack)

Prints one sentence for each thing that is wrong and ends with status 1, or says that all is in order and ends with 0.
"""

import itertools
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ZIP = ROOT / "dist/XSOARMirroring.zip"
PACK = ROOT / "Packs/XSOARMirroring"

# What a server reads: files at the top, folders of JSON items (demisto-sdk puts mappers into Classifiers), and the others.
TOP_FILES = ("metadata.json", "pack_metadata.json", "README.md")
JSON_FOLDERS = ("Classifiers", "Dashboards", "IncidentFields", "IncidentTypes", "Layouts")
OTHER_FOLDERS = ("Integrations", "Playbooks", "ReleaseNotes", "Scripts", "doc_files")
# What has no business on a server, wherever it lies. Test playbooks are among it: demisto-sdk leaves them out of a pack's zip.
FOR_DEVELOPMENT = re.compile(r"\.py[c]?$|_test\.|test_data|TestPlaybooks|local_xsoar|^tests/|\.pack-ignore|\.secrets-ignore")

# The imports that demisto-sdk takes out of a script, because the server puts the modules themselves in front of it ...
PLATFORM_IMPORTS = re.compile(
    r"^(import demistomock as demisto|from CommonServer(User)?Python import \*)[ \t]*(#.*)?$",
    flags=re.MULTILINE,
)
# ... and the lines that it adds.
ADDED_LINES = re.compile(
    r"^(register_module_line\(.*\)|CONSTANT_PACK_VERSION = .*|demisto\.debug\('pack id = .*, pack version = .*'\))\n",
    flags=re.MULTILINE,
)


def find_problems(archive: Path, pack: Path) -> list[str]:
    """Return a sentence for each way in which the zip is not what the sources of the pack say; empty when all is well."""
    try:
        with zipfile.ZipFile(archive) as opened:
            files = {info.filename: opened.read(info) for info in opened.infolist() if not info.is_dir()}
    except FileNotFoundError:
        return [f"There is no {archive}: build it with `make pack`."]
    except (OSError, zipfile.BadZipFile) as error:
        return [f"{archive} cannot be read as a zip ({error}): build it anew with `make pack`."]
    return [
        *find_wrong_entries(files, pack),
        *find_wrong_versions(files, pack),
        *find_dead_pictures(files),
        *find_wrong_integrations(files, pack),
        *find_wrong_automations(files, pack),
    ]


def find_wrong_entries(files: dict[str, bytes], pack: Path) -> list[str]:
    """Return what is missing from the zip, what should not be in it, and what in it does not parse. `files`: name -> bytes."""
    problems = [f"{name} is missing from the zip." for name in sorted(expected_entries(pack) - set(files))]
    for name, content in sorted(files.items()):
        if FOR_DEVELOPMENT.search(name):
            problems.append(f"{name} does not belong into the zip: it is of use only to developers.")
        elif name not in TOP_FILES and name.split("/")[0] not in (*JSON_FOLDERS, *OTHER_FOLDERS):
            problems.append(f"{name} does not belong into the zip: a server knows no such folder or file.")
        elif name.endswith((".json", ".yml")) and parse(name, content) is None:
            problems.append(f"{name} is empty or does not parse.")
    return problems


def expected_entries(pack: Path) -> set[str]:
    """Return the names of the zip's entries, as the files of the pack call for them."""
    names = set(TOP_FILES)
    names |= {f"Integrations/integration-{yml.stem}.yml" for yml in pack.glob("Integrations/*/*.yml")}
    names |= {f"Scripts/script-{yml.stem}.yml" for yml in pack.glob("Scripts/*/*.yml")}
    names |= {f"doc_files/{picture.name}" for picture in pack.glob("doc_files/*")}
    names |= {f"Playbooks/playbook-{playbook.name.removeprefix('playbook-')}" for playbook in pack.glob("Playbooks/*.yml")}
    names |= {f"ReleaseNotes/{notes.name}" for notes in pack.glob("ReleaseNotes/*.md")}
    return names | {f"{folder}/{item.name}" for folder in JSON_FOLDERS for item in pack.glob(f"{folder}/*.json")}


def find_wrong_versions(files: dict[str, bytes], pack: Path) -> list[str]:
    """Return where the pack's version is another one: in the zip's two metadata files, or as the newest release notes."""
    wanted = json.loads((pack / "pack_metadata.json").read_text(encoding="utf-8"))["currentVersion"]
    found = {name: json_of(name, files).get("currentVersion") for name in TOP_FILES if name.endswith(".json") and name in files}
    notes = [tuple(int(part) for part in path.stem.split("_")) for path in pack.glob("ReleaseNotes/*_*_*.md")]
    if notes:
        found["the newest file of ReleaseNotes"] = ".".join(str(part) for part in max(notes))
    return [
        f"The pack's version is {wanted} in its pack_metadata.json, but {version} in {name}."
        for name, version in found.items()
        if version != wanted
    ]


def find_dead_pictures(files: dict[str, bytes]) -> list[str]:
    """Return a sentence for each picture in the README: demisto-sdk gives it the address of a marketplace without this pack."""
    shown = re.findall(r"!\[[^\]]*\]\(([^)]*)\)|<img[^>]*src=\"([^\"]*)", files.get("README.md", b"").decode(errors="replace"))
    return [f"README.md shows a picture that nobody serves: {inline or html}." for inline, html in shown]


def find_wrong_integrations(files: dict[str, bytes], pack: Path) -> list[str]:
    """Return what is wrong with the unified integrations: their script, image, description and mappers."""
    items = [json_of(name, files) for name in files if name.startswith("Classifiers/")]
    mappers = {item.get("id"): item.get("type") for item in items}
    problems = []
    for source in sorted(pack.glob("Integrations/*/*.yml")):
        name = f"Integrations/integration-{source.stem}.yml"
        integration = json_of(name, files)
        if not integration:
            continue  # named as missing or broken before
        section = integration.get("script")
        script = section.get("script") if isinstance(section, dict) else None
        problems += find_wrong_script(name, script, source.with_suffix(".py"))
        if not str(integration.get("image", "")).startswith("data:image/png;base64,"):
            problems.append(f"{name} holds no PNG image.")
        if not str(integration.get("detaileddescription") or "").strip():
            problems.append(f"{name} holds no detailed description.")
        for key, kind in (("defaultmapperin", "mapping-incoming"), ("defaultmapperout", "mapping-outgoing")):
            mapper = integration.get(key)
            if mapper and mappers.get(mapper) != kind:
                problems.append(f"{name} names '{mapper}' as {key}, but the zip holds no such mapper of the type {kind}.")
    return problems


def find_wrong_automations(files: dict[str, bytes], pack: Path) -> list[str]:
    """Return what is wrong with the unified automation scripts, those of the folder Scripts."""
    problems = []
    for source in sorted(pack.glob("Scripts/*/*.yml")):
        name = f"Scripts/script-{source.stem}.yml"
        if automation := json_of(name, files):  # others were named as missing or broken before
            problems += find_wrong_script(name, automation.get("script"), source.with_suffix(".py"))
    return problems


def find_wrong_script(name: str, script: Any, source: Path) -> list[str]:
    """Return what is wrong with the script of a unified item: it does not compile, or is not the one in its source."""
    if not isinstance(script, str) or not script.strip(" -\n"):
        return [f"{name} holds no script."]
    try:
        compile(script, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return [f"The script in {name} does not compile: {error.msg}, line {error.lineno}."]
    wanted = PLATFORM_IMPORTS.sub("", source.read_text(encoding="utf-8")).strip("\n").splitlines()
    found = ADDED_LINES.sub("", script).strip("\n").splitlines()
    for own, packed in itertools.zip_longest(wanted, found):
        if own != packed:
            return [f"The script in {name} is not the one in {source.name}: it has {packed!r} where that has {own!r}."]
    return []


def json_of(name: str, files: dict[str, bytes]) -> dict[str, Any]:
    """Return the object that the entry holds; empty when there is no such entry, or it holds no object."""
    parsed = parse(name, files.get(name, b""))
    return parsed if isinstance(parsed, dict) else {}


def parse(name: str, content: bytes) -> Any:
    """Return what the JSON or YAML of the entry holds; None when it is empty or does not parse."""
    try:
        return json.loads(content) if name.endswith(".json") else yaml.safe_load(content)
    except (ValueError, yaml.YAMLError):
        return None


def main(arguments: list[str]) -> None:
    """Check the zip named by the arguments, else the one that `make pack` builds."""
    archive = Path(arguments[0]) if arguments else ZIP
    pack = Path(arguments[1]) if len(arguments) > 1 else PACK
    problems = find_problems(archive, pack)
    if problems:
        sys.exit("\n".join(problems))
    sys.stdout.write(f"{archive.name} is in order: {len(expected_entries(pack))} files, {archive.stat().st_size} bytes.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
