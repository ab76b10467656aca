"""A thousand drifts of every kind over thirty days: xsoar-mirror-reconcile names each of them and nothing else."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import XSOARMirroring as script
from stand_ins import Remote, Server, change_memory, contents, local_entry, pushed, record_of, remember

DAYS, A_DAY, TRACKED = 30, 34, 100
SEED = 16
DECIDED_BY_PEOPLE = ("gone", "stranger", "entry doubled")


def ago(hours: float) -> str:
    """Return a time of the remote some hours ago."""
    return (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def track(server: Server, remote: Remote, first: int, count: int) -> None:
    """Let some incidents be mirrored, in step; each tenth of them is closed."""
    for number in range(first, first + count):
        fields = {"status": 2 if number % 10 == 0 else 1, "created": ago(100), "modified": ago(50)}
        remote.add(str(number), CustomFields={"depth": "1 m"}, **fields)
    remember(
        server,
        {
            key: script.Record(
                created_ms=script.parse_ms(incident["created"], 0),
                origin=script.LINKED,
                met=True,
                modified=incident["modified"],
                fields=script.pack_digests(script.field_digests(incident)),
                **dict.fromkeys(("status", "given", "told", "here"), incident["status"]),
                since_ms=0,
            )
            for key, incident in remote.incidents.items()
            if int(key) >= first
        },
    )


class Drifts:
    """What goes wrong in the remote without a search of changes telling it: each kind by the name that a drift of it gets."""

    def __init__(self, server: Server, remote: Remote, chance: random.Random) -> None:
        self.server, self.remote, self.chance = server, remote, chance
        self.written = 0
        self.kinds: dict[str, Callable[[str], str]] = {
            "field": lambda key: self.changed(key, details=self.text()),
            "custom field": lambda key: self.changed(key, CustomFields={"depth": self.text()}),
            "status": self.moved,
            "entry": lambda key: self.entered(key, "entry missing", self.remote.write),
            "file": lambda key: self.entered(key, "file missing", self.filed),
            "entry twice": self.doubled,
            "deleted": self.deleted,
            "stranger": lambda key: self.changed(key, "stranger", created=ago(60)),
            "restored": self.restored,
        }

    def text(self) -> str:
        """Return a text that was never written before."""
        self.written += 1
        return f"text {self.written}"

    def changed(self, key: str, kind: str = "changed", **fields: Any) -> str:
        """Change fields some hours ago."""
        self.remote.incidents[key] |= {"modified": ago(self.chance.uniform(2, 10)), **fields}
        return kind

    def moved(self, key: str) -> str:
        """Close an open incident, reopen a closed one."""
        is_open = self.remote.incidents[key]["status"] == 1
        return self.changed(key, "closed" if is_open else "reopened", status=2 if is_open else 1)

    def entered(self, key: str, kind: str, write: Callable[..., Any]) -> str:
        """Write an entry some hours ago that moves nothing."""
        moment = ago(self.chance.uniform(2, 10))
        write(key, self.text(), created=moment, modified=moment)
        return kind

    def filed(self, key: str, name: str, **fields: Any) -> None:
        """Write a file."""
        self.remote.write_file(key, f"{name}.txt", name.encode(), **fields)

    def doubled(self, key: str) -> str:
        """Let an entry that is sent from here be there twice."""
        pushed(self.server, key, entries=[local_entry(self.written, self.text())])
        self.remote.entries[key].append({**self.remote.entries[key][-1], "id": f"9{self.written}@{key}"})
        return "entry doubled"

    def deleted(self, key: str) -> str:
        """Delete an incident."""
        del self.remote.incidents[key]
        return "gone"

    def restored(self, key: str) -> str:
        """Put an incident back to an earlier state, as a backup does."""
        before = script.parse_ms(self.remote.incidents[key]["modified"], 0) - script.HOUR_MS
        self.remote.incidents[key] |= {"modified": script.iso(before), "details": self.text()}
        return "restored"


def reconcile(server: Server, **args: str) -> dict[str, list[str]]:
    """Compare all incidents with all entries; return the kinds of drift by ID."""
    context = server.ok("xsoar-mirror-reconcile", scope="all", entries="all", **args)["EntryContext"]
    found = {path.partition("(")[0]: value for path, value in context.items()}
    assert found["XSOAR.Mirror.Reconcile"]["NotLookedAt"] == 0
    return {row["id"]: row["kinds"] for row in found["XSOAR.Mirror.Drift"]}


def brought(server: Server, remote: Remote, rounds: int) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Run rounds with their pulls; return what came of each incident."""
    pulled = {}
    for _ in range(rounds):
        for key in server.ok("get-modified-remote-data", lastUpdate=remote.now())["Contents"]:
            pulled[key] = server.pull(key)
    return pulled


def test_each_of_a_thousand_drifts_is_named_and_healed(server: Server, remote: Remote, clock: Any) -> None:
    """
    Given: 100 mirrored incidents, open and closed ones, and a month in which each day 34 of them drift, in every way.
    When: each day they are reconciled with repair, and two rounds run.
    Then: each drift is named by its kind and nothing else is; what came about there is here, once; and what is left is what
        people must decide.
    """
    chance = random.Random(SEED)
    server.params |= {"tags": "share", "close_in": True}
    remote.entry_moves_modified = False
    change_memory(server, entries_move=False)
    drifts, named, ways, created = Drifts(server, remote, chance), 0, list[str](), 0
    for day in range(DAYS):
        clock.tick(timedelta(days=1))
        # What was closed for a month is forgotten.
        tracked = [key for key in remote.incidents if record_of(server, key).met]
        track(server, remote, created + 1, TRACKED - len(tracked))
        created += TRACKED - len(tracked)
        brought(server, remote, 1)
        assert reconcile(server) == {}, day
        expected: dict[str, str] = {}
        for key in chance.sample([key for key in remote.incidents if record_of(server, key).met], A_DAY):
            is_open = remote.incidents[key]["status"] == 1
            way = chance.choice([kind for kind in drifts.kinds if is_open or kind not in ("entry", "file", "entry twice")])
            expected[key] = drifts.kinds[way](key)
            ways.append(way)

        assert reconcile(server, repair="true") == {key: [kind] for key, kind in expected.items()}, day
        named += len(expected)
        news = brought(server, remote, 2)

        texts = [text for _, entries in news.values() for text in contents(entries)]
        for key, kind in expected.items():
            if kind == "entry missing":
                assert texts.count(remote.entries[key][-1]["contents"]) == 1
            elif kind == "file missing":
                assert remote.entries[key][-1]["file"] in [entry.get("File") for entry in news[key][1]]
            elif kind in ("changed", "restored"):
                there = remote.incidents[key]
                fields, _ = news[key]
                assert "details" in fields or "CustomFields" in fields
                assert fields.get("details", there["details"]) == there["details"]
            elif kind in ("closed", "reopened"):
                assert record_of(server, key).given == (2 if kind == "closed" else 1)
        left = {key: [kind] for key, kind in expected.items() if kind in DECIDED_BY_PEOPLE}
        assert reconcile(server) == left, day
        for key, (kind,) in left.items():
            if kind == "entry doubled":
                remote.entries[key].pop()
            else:
                server.ok("xsoar-mirror-stop", id=key)
                remote.incidents.pop(key, None)

    assert (named >= 1_000, set(ways)) == (True, set(drifts.kinds))
