"""The journal over HTTP: after a lively hour with faults and killed workers it holds what crossed, each once, and no contents."""

import json
import os
import random
import signal
from collections import Counter
from typing import Any

import pytest

from tests.mirror.test_mirror_properties import FAULTS, KILLED_AT
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site, succeeded

CANARY = "canary"  # Stands in every text, name, owner and file, and in no name of a field.
FIELDS = ("severity", "name", "details", "ticket", "depth")


class Reaper:
    """Kills a worker now and then, but not behind its last write: nobody can tell that from an ordinary end."""

    def __init__(self) -> None:
        self.kill_at: tuple[str, int] | None = None
        self.killed = 0
        self._has_written = False

    def __call__(self, pid: int, name: str) -> None:
        """Note a step of a worker, and kill it if its time has come."""
        self._has_written = name == "setIntegrationContextVersioned" or (self._has_written and name != "start")
        if not self.kill_at or name != self.kill_at[0] or (self._has_written and name == "results"):
            return
        if self.kill_at[1]:
            self.kill_at = (name, self.kill_at[1] - 1)
        else:
            os.kill(pid, signal.SIGKILL)
            self.kill_at, self.killed = None, self.killed + 1


class Hour:
    """What people do on both sides, and what of it must have crossed: direction, remote ID, kind and what, each once."""

    def __init__(self, made: Mirror, chance: random.Random) -> None:
        self.made, self.chance = made, chance
        self.expected: list[tuple[str, str, str, str]] = []
        self.pairs: dict[str, str] = {}  # Local ID by remote ID.
        self.free: dict[str, list[str]] = {}  # The fields of each incident that nobody changed yet.
        self.number = 0

    def text(self) -> str:
        """Return a text that was never written before."""
        self.number += 1
        return f"{CANARY} {self.number}"

    def new_there(self) -> None:
        """Create a remote incident."""
        remote_id = self.made.remote_incident(name=self.text(), owner=self.text())
        self.expected.append(("in", remote_id, "fetched", ""))

    def learn(self) -> None:
        """Look which incidents are mirrored by now."""
        found, _ = self.made.here.search({"query": "", "size": 1000})
        for incident in found:
            remote_id = str(incident["dbotMirrorId"] or "")
            if remote_id and remote_id not in self.pairs:
                self.pairs[remote_id], self.free[remote_id] = str(incident["id"]), list(FIELDS)

    def change(self) -> None:
        """Change a field that nobody changed yet, write an entry or a file, on either side of an open pair."""
        direction, remote_id = self.chance.choice(["in", "out"]), self.chance.choice(sorted(self.pairs))
        made, is_in = self.made, direction == "in"
        tenant, incident_id = (made.there, remote_id) if is_in else (made.here, self.pairs[remote_id])
        if made.there.incident(remote_id)["status"] != 1 or made.here.incident(self.pairs[remote_id])["status"] != 1:
            return
        kind = self.chance.choice(["fields", "fields", "entry", "file", "close"] if self.chance.random() < 0.5 else ["entry"])
        user, tags = ("carla", [IN_TAG]) if is_in else ("hanna", [OUT_TAG])
        what = ""
        if kind == "fields":
            if not self.free[remote_id]:
                return
            what = self.free[remote_id].pop()
            value: Any = 3 if what == "severity" else self.text()
            is_custom = what in ("ticket", "depth")
            tenant.change_incident(incident_id, {"CustomFields": {what: value}} if is_custom else {what: value}, user=user)
        elif kind == "entry":
            what = str(tenant.add_entry(incident_id, contents=self.text(), user=user, tags=tags)["id"])
        elif kind == "file":
            file = (f"{self.text()}.bin", self.text().encode())
            what = str(tenant.add_entry(incident_id, user=user, entry_type=3, tags=tags, file=file)["id"])
        else:
            tenant.close_incident(incident_id, reason="Resolved", notes=self.text(), user=user)
        self.expected.append((direction, remote_id, kind, what))


def journal(made: Mirror, **args: Any) -> list[dict[str, Any]]:
    """Return what xsoar-mirror-journal lists, the oldest first."""
    (entry,) = succeeded(made.host.run(INSTANCE, "xsoar-mirror-journal", {"limit": "2000", **args})).entries
    outputs = next(value for path, value in entry["EntryContext"].items() if path.startswith("XSOAR.Mirror.Journal"))
    return list(reversed(outputs["Crossings"]))


def crossed(rows: list[dict[str, Any]]) -> Counter[tuple[str, str, str, str]]:
    """Return how often each thing crossed, with each field on its own."""
    return Counter(
        (row["Direction"], row["Id"], row["Kind"], what)
        for row in rows
        if row["Outcome"] in ("crossed", "already there")
        for what in (
            row["What"].split(", ") if row["Kind"] == "fields" else [row["What"] if row["Kind"] in ("entry", "file") else ""]
        )
    )


@pytest.mark.parametrize(("seed", "there"), [(1, "8"), (2, "6")])
def test_after_a_lively_hour_the_journal_holds_what_crossed(site: Site, seed: int, there: str) -> None:
    """
    Given: an hour of work in both tenants, with a remote that fails and workers that are killed.
    When: the mirror has come to rest and the journal is asked for.
    Then: all that crossed stands there once, and nothing of its contents; what a killed run wrote may stand there as coming back.
    """
    reaper, chance = Reaper(), random.Random(seed)
    made = site.mirror("8", there, reaper)
    made.configure()
    hour = Hour(made, chance)
    for _ in range(4):
        hour.new_there()
    made.fetch_all()
    for minute in range(60):
        hour.learn()
        for _ in range(chance.randrange(6)):
            hour.change()
        if minute % 9 == 4:
            hour.new_there()
        if minute % 7 == 3:
            reaper.kill_at = (chance.choice(KILLED_AT), chance.randrange(3))
        if minute % 8 == 5:
            first = len(made.interference.paths) + chance.randrange(6)
            fault = FAULTS[chance.choice(sorted(FAULTS))]
            made.interference.answers.update(dict.fromkeys(range(first, first + chance.randrange(1, 4)), fault))
        made.minutes(1)
    reaper.kill_at = None
    made.interference.forget()
    made.minutes(2)
    made.pass_time(hours=3)  # What could not be read is tried again after some hours.
    made.minutes(3)
    made.until_quiet()

    rows = journal(made)
    found = crossed(rows)
    # Without what the remote set itself in an incident, or what goes with a closing.
    own = {key: times for key, times in found.items() if key[2] != "fields" or key[3] in FIELDS}
    expected = Counter(hour.expected)
    assert Counter(key[1:] for key in own for _ in range(own[key])) == Counter(key[1:] for key in expected)
    assert len(hour.expected) > 60
    turned = own.keys() - expected.keys()
    assert all(kind in ("fields", "close", "reopen") for _, _, kind, _ in turned)
    assert len(turned) <= reaper.killed
    assert reaper.killed > 2
    assert CANARY not in json.dumps(rows).lower()
    assert [row["Time"] for row in rows] == sorted(row["Time"] for row in rows)
    lags = [row["LagSeconds"] for row in rows if row["LagSeconds"] is not None]
    assert len(lags) > len(rows) / 2
    assert min(lags) >= 0


@pytest.mark.parametrize("skew_seconds", [-300.0, 0.0, 300.0])
def test_the_lag_is_measured_by_the_clock_of_its_side(site: Site, skew_seconds: float) -> None:
    """
    Given: a remote whose clock is off by minutes, a change and an entry on each side.
    When: a round runs two minutes later.
    Then: each took two minutes, and the fields here, which the server offers then, nothing.
    """
    made = site.mirror(date_header=0)
    made.clock.offset_seconds = skew_seconds
    made.configure()
    remote_id = made.remote_incident()
    local_id = made.fetched_once()
    made.until_quiet()
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.there.add_entry(remote_id, contents="there", user="carla", tags=[IN_TAG])
    made.here.change_incident(local_id, {"details": "here"}, user="hanna")
    made.here.add_entry(local_id, contents="here", user="hanna", tags=[OUT_TAG])

    made.pass_time(minutes=2)
    made.until_quiet()

    rows = [row for row in journal(made) if row["Kind"] != "fetched"]
    assert {(row["Direction"], row["Kind"]) for row in rows} == {
        (side, kind) for side in ("in", "out") for kind in ("fields", "entry")
    }
    # The server offers a change of fields only when a round runs.
    at_once = [row.pop("LagSeconds") for row in rows if (row["Direction"], row["Kind"]) == ("out", "fields")]
    assert max(at_once) <= 5
    assert all(115 <= row["LagSeconds"] <= 125 for row in rows if "LagSeconds" in row), rows
    status = made.status()
    assert all(115 <= status[name] <= 125 for name in ("LagP50Seconds", "LagP95Seconds"))
    assert status["OldestPendingSeconds"] == 0
