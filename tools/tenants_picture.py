"""Takes the pictures of the README: an incident at the customer and its copy at headquarters, side by side, light and dark.

.venv/bin/python tools/tenants_picture.py      # plays the demo, needs a Chromium (see tools/find_chromium.sh)
"""

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
INCIDENT = "1"
Scheme = Literal["light", "dark"]
WIDTH, HEIGHT = 760, 1280
FRAMES = """<body style="margin:0;display:flex;gap:12px;background:{line}">
<img src="data:image/png;base64,{left}"><img src="data:image/png;base64,{right}"></body>"""


def main() -> None:
    """Play the demo, take the pictures, end it."""
    demo = subprocess.Popen([sys.executable, "-m", "local_xsoar", "demo", "--keep"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert demo.stdout is not None
        addresses: list[str] = []
        for line in demo.stdout:
            addresses += re.findall(r"http://\S+/web/#token=\S+", line)
            if line.startswith("Ctrl-C"):
                break
        script = ROOT / "tools" / "find_chromium.sh"
        chromium = subprocess.run(
            [shutil.which("bash") or "bash", str(script)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        PICTURES.mkdir(exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for scheme in get_args(Scheme):
                (PICTURES / f"two-tenants-{scheme}.png").write_bytes(picture(browser, addresses, scheme))
    finally:
        demo.terminate()
        demo.wait()


def picture(browser: Browser, addresses: list[str], scheme: Scheme) -> bytes:
    """Return both tenants' pages of the incident beside each other, as PNG."""
    sides = []
    for address in addresses:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
        page.goto(address)
        page.goto(f"{address.split('#')[0]}#/incident/{INCIDENT}")
        page.wait_for_load_state("networkidle")
        sides.append(base64.b64encode(page.screenshot()).decode())
        page.close()
    frame = browser.new_page(viewport={"width": 2 * WIDTH + 12, "height": HEIGHT})
    frame.set_content(FRAMES.format(line="#444" if scheme == "dark" else "#bbb", left=sides[0], right=sides[1]))
    shot = frame.screenshot()
    frame.close()
    return shot


if __name__ == "__main__":
    main()
