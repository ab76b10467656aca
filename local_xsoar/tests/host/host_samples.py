"""The sample integrations, a clock that tests move, and the files behind the sample integration Ledger."""

import json
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "test_data" / "Packs" / "Sample" / "Integrations"
START = 1_767_600_000_000_000_000  # 2026-01-05T08:00:00Z, in nanoseconds
DAY = 86_400_000_000_000


class Clock:
    """A clock that moves by a millisecond whenever it is read."""

    def __init__(self) -> None:
        self.nanoseconds = START

    def __call__(self) -> int:
        self.nanoseconds += 1_000_000
        return self.nanoseconds

    def forward(self, days: float) -> None:
        self.nanoseconds += int(days * DAY)


class Remote:
    """The files behind an instance of the sample integration Ledger."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._remote = folder / "remote.json"
        self._calls = folder / "calls.jsonl"
        self.holds(incidents=[])

    def holds(self, **remote: Any) -> None:
        """Say what the remote answers from now on."""
        self._remote.write_text(json.dumps({"incidents": [], "modified": [], "data": {}, "update": "", **remote}))

    @property
    def params(self) -> dict[str, Any]:
        return {"remote": str(self._remote), "calls": str(self._calls), "isFetch": True}

    def calls(self, command: str = "") -> list[dict[str, Any]]:
        """Return what the integration was asked, and forget it."""
        written = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return [call for line in written if (call := json.loads(line)) and command in ("", call["command"])]
