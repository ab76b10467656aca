"""Holds the pack's Python scripts to the conventions that XSOAR keeps for the content it supports itself.

    .venv-sdk/bin/python tools/xsoar_lint.py [folder of packs]        (or: make xsoar-lint)

`demisto-sdk xsoar-lint` looks at a pack of the community with the smallest of its five sets of checks, and fails on errors
only. This runs the plugins of all five on every integration and script, and fails on warnings too. No message is left out.
"""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from demisto_sdk.commands.pre_commit.resources.pylint_plugins import (
    base_checker,
    certified_partner_level_checker,
    community_level_checker,
    partner_level_checker,
    xsoar_level_checker,
)

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = {
    "base_checker": base_checker.base_msg,
    "community_level_checker": community_level_checker.community_msg,
    "partner_level_checker": partner_level_checker.partner_msg,
    "certified_partner_level_checker": certified_partner_level_checker.cert_partner_msg,
    "xsoar_level_checker": xsoar_level_checker.xsoar_msg,
}
PLUGIN_FOLDER = Path(base_checker.__file__).parent


def find_items(packs: Path) -> list[Path]:
    """Return the yml files of the integrations and scripts whose code is a Python file beside them."""
    items = [*packs.glob("*/Integrations/*/*.yml"), *packs.glob("*/Scripts/*/*.yml")]
    return sorted(item for item in items if item.with_suffix(".py").is_file())


def lint(item: Path) -> bool:
    """Run the linter on the script of an integration or script, which prints what it finds; return whether that is nothing."""
    try:
        content = yaml.safe_load(item.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        sys.exit(f"{item} cannot be read as YAML ({' '.join(str(error).split())}): correct it.")
    is_script = item.parent.parent.name == "Scripts"
    section = content if is_script else content.get("script") or {}
    # The plugins take what they must know of the yml from the environment.
    known = {
        "is_script": str(is_script),
        "commands": ",".join(command["name"] for command in section.get("commands") or []),
        "PYTHONPATH": os.pathsep.join([str(PLUGIN_FOLDER), str(ROOT / "local_xsoar/runtime")]),
    }
    if section.get("longRunning"):
        known["LONGRUNNING"] = "True"
    checks = ",".join(code for messages in PLUGINS.values() for code in messages)
    run = subprocess.run(
        [
            Path(sys.executable).parent / "pylint",
            "--rcfile=/dev/null",
            "--disable=all",
            f"--load-plugins={','.join(PLUGINS)}",
            f"--enable={checks}",
            "--score=no",
            "--msg-template={path}:{line}:{column}: {msg_id} {msg}",
            item.with_suffix(".py"),
        ],
        env={**os.environ, **known},
    )
    return run.returncode == 0


def main(arguments: list[str]) -> None:
    """Lint all scripts of the folder of packs, which is Packs unless another one is named."""
    packs = Path(arguments[0]) if arguments else ROOT / "Packs"
    items = find_items(packs)
    if not items:
        sys.exit(f"There is no integration or script with a Python file in {packs}: name the folder that holds the packs.")
    clean = [lint(item) for item in items]
    if not all(clean):
        sys.exit("The lines above break a convention of XSOAR's own content.")
    sys.stdout.write(f"{len(items)} of {len(items)} scripts keep to all conventions.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
