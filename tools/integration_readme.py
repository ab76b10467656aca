"""Writes the README of the integration: what its yml says, as demisto-sdk words it, with examples, followed by our own guide.

    python tools/integration_readme.py            (or: make docs)

The part above the heading "## Incident Mirroring" is made each time, from the yml and from what the lines of command_examples.txt
give when they are run (`command_examples.py`); that heading and all below it are written by hand and kept. demisto-sdk ends its
text with a section of that name too, which calls our parameters by other names: ours stands in its place.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it also runs as a file

from tools.command_examples import Example, ExampleError, examples_of, with_examples  # noqa: E402

INTEGRATION = ROOT / "Packs/XSOARMirroring/Integrations/XSOARMirroring"
SDK = ROOT / ".venv-sdk/bin/demisto-sdk"
GUIDE_HEADING = "## Incident Mirroring"


def split_at_guide(text: str) -> tuple[str, str]:
    """Return the parts of a README before the guide and from its heading on. Without the heading the second is empty."""
    before, heading, after = text.partition(f"\n{GUIDE_HEADING}\n")
    return before, f"{heading}{after}".lstrip("\n")


def tidy(generated: str) -> str:
    """Return demisto-sdk's text without what it leaves to the reader and what it says twice.

    Gone are its sentence with a version still to be filled in, and "Possible values are ..." and "Default is x." where the
    description ends with them already; headings get an empty line before them, lines lose their trailing blanks.
    """
    text = re.sub(r"^This integration was integrated and tested with version xx of .*\n", "", generated, flags=re.MULTILINE)
    text = re.sub(r"( Default is [^|\n]+\.)(?: Possible values are: [^|\n]+?\.)?\1", r"\1", text)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<!\n)\n(#+ )", r"\n\n\1", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def generate(integration: Path) -> str:
    """Return the README that demisto-sdk makes from the integration's yml. SystemExit with a sentence when it fails."""
    if not SDK.is_file():
        sys.exit("There is no .venv-sdk yet: run `make docs`, which makes it first.")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DEMISTO_SDK_IGNORE_CONTENT_WARNING": "1", "DEMISTO_SDK_LOG_FILE_PATH": folder}
        run = subprocess.run(
            [SDK, "generate-docs", "-i", integration / f"{integration.name}.yml", "-o", folder, "--force"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        readme = Path(folder) / "README.md"
        if not readme.is_file():
            sys.exit(f"demisto-sdk generate-docs wrote no README:\n{run.stdout}{run.stderr}")
        return readme.read_text(encoding="utf-8")


def with_examples_of(integration: Path, readme: str, examples: list[Example]) -> str:
    """Return the generated README of an integration with its examples in it. Raises ExampleError."""
    described = yaml.safe_load((integration / f"{integration.name}.yml").read_text(encoding="utf-8"))
    outputs = {
        command["name"]: [output["contextPath"] for output in command.get("outputs") or []]
        for command in described["script"]["commands"]
    }
    return with_examples(readme, examples, outputs)


def main() -> None:
    """Rewrite the generated part of the integration's README."""
    readme = INTEGRATION / "README.md"
    try:
        generated = with_examples_of(INTEGRATION, tidy(split_at_guide(generate(INTEGRATION))[0]), examples_of(INTEGRATION))
    except ExampleError as error:
        sys.exit(str(error))
    # Read only now: somebody may be writing the guide meanwhile.
    guide = split_at_guide(readme.read_text(encoding="utf-8"))[1] if readme.is_file() else ""
    readme.write_text(f"{generated}\n{guide}" if guide else generated, encoding="utf-8")
    sys.stdout.write(f"Wrote {readme.relative_to(ROOT)}.\n")


if __name__ == "__main__":
    main()
