"""Tests of the script, run as the server does: through `main`, with a server that has incidents, and an instance."""

import json
import re
import runpy
from itertools import count
from typing import Any

import pytest
from freezegun import freeze_time

import XSOARMirroringReconcile as script
from stand_ins import Server, error_entry

MODULES = {
    "customer": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "active"},
    "old": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "disabled"},
    "desk": {"brand": "Ticket Desk", "category": "Case Management", "state": "active"},
}
NOW, JUST_NOW, LONG_AGO = "2026-03-01T12:00:00Z", "2026-03-01T11:58:30Z", "2026-03-01T09:00:00Z"
LIMITED = "API rate limit: hq.example.com is refusing calls (429); the next round tries again."
MISSING = "The remote tenant has no such incident, or the API key may not read it (400): check the ID."
VALUES = {"name": "Phishing", "details": "", "severity": 1, "phase": "", "dueDate": "2026-03-09T00:00:00Z"}


def entry(contents: Any, context: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return what a command gives a script."""
    return [{"Type": 1, "ContentsFormat": "json", "Contents": contents, "EntryContext": context or {}}]


def there(number: int, **fields: Any) -> dict[str, Any]:
    """Return a remote incident."""
    return {"id": str(number), "status": 1, "modified": LONG_AGO, **VALUES, "CustomFields": {"depth": "4m"}, **fields}


def here(number: int, **fields: Any) -> dict[str, Any]:
    """Return the local incident that mirrors the remote one of a number; its ID is that number and 100."""
    mirroring = {"dbotMirrorId": str(number), "dbotMirrorInstance": "customer", "dbotMirrorDirection": "Both"}
    created = f"2026-02-01T00:{number:02}:00Z"
    return {**there(number), "id": str(number + 100), "created": created, "rawJSON": "{}", **mirroring, **fields}


class Tenants:
    """Answers the commands of a script from the incidents of both tenants."""

    def __init__(self, server: Server) -> None:
        self.here: list[dict[str, Any]] = []
        self.there: list[dict[str, Any]] = []
        self.drifts: list[dict[str, Any]] = []
        self.left = 0
        self.ruled = {"name", "details", "severity", "phase", "dueDate", "depth"}
        self.kept_back: set[str] = set()
        self.unknown: set[str] = set()
        self.skew: int | None = None
        server.answers = {
            "getIncidents": self.found,
            "xsoar-mirror-reconcile": self.reconciled,
            "xsoar-search-incidents": lambda args: entry([self.by_id[key] for key in ids(args["query"]) if key in self.by_id]),
            "xsoar-mirror-diff": self.diff,
            "xsoar-mirror-status": lambda _: entry({"ClockSkewSeconds": self.skew}),
            "xsoar-mirror-resync": entry({}),
        }

    @property
    def by_id(self) -> dict[str, dict[str, Any]]:
        """The remote incidents by ID."""
        return {incident["id"]: incident for incident in self.there}

    def found(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer a search for local incidents, in pages of three."""
        query, found = args["query"], self.here
        if query.startswith("dbotMirrorId:"):
            found = [incident for incident in found if incident["dbotMirrorId"] in ids(query)]
        if "-status:closed" in query:
            found = [incident for incident in found if incident["status"] != 2]
        if after := re.search(r'created:>="(.*?)"', query):
            found = [incident for incident in found if incident["created"] >= after[1]]
        return entry({"data": found[args["page"] * 3 : args["page"] * 3 + 3] or None, "total": len(found)})

    def reconciled(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer the command that compares what the instance keeps."""
        summary = {"Instance": "customer", "LookedAt": len(self.there), "NotLookedAt": self.left, "Differ": len(self.drifts)}
        context = {"XSOAR.Mirror.Reconcile(val.Instance)": summary, "XSOAR.Mirror.Drift(val.id)": self.drifts}
        return entry({"known_here": [key for key in self.by_id if key not in self.unknown]}, context)

    def diff(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer the comparison of one incident, as the command does."""
        if args["id"] not in self.by_id:
            return error_entry(MISSING)
        mine, theirs = json.loads(args["incident"]), self.by_id[args["id"]]
        names = {*VALUES, *mine["CustomFields"], *theirs["CustomFields"]} - self.kept_back
        values = [{**incident, **incident["CustomFields"]} for incident in (mine, theirs)]
        fields = [
            {"field": name, "equal": values[0].get(name) == values[1].get(name), "mapped": name in self.ruled}
            for name in sorted(names)
        ]
        return entry({"id": args["id"], "fields": [*fields, {"field": "status", "equal": False, "mapped": True}]})


def ids(query: str) -> list[str]:
    """Return the IDs that a query asks for."""
    return re.findall(r'"(.*?)"', query)


def drift(number: int, *kinds: str, **fields: Any) -> dict[str, Any]:
    """Return a row of the command."""
    row = {"id": str(number), "instance": "customer", "kinds": list(kinds), "entries": [], "repaired": False, "decide": ""}
    return {**row, **fields}


@pytest.fixture
def tenants(server: Server) -> Tenants:
    """A server with an instance, and two tenants without incidents."""
    server.instances = MODULES
    return Tenants(server)


def shown(server: Server, **args: Any) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """Run the script, which must succeed; return its rows, its counts and its text."""
    with freeze_time(NOW):
        outcome = server.run_script(script.main, **args)
    assert not outcome.error, outcome.error
    outputs = {path.partition("(")[0]: value for path, value in outcome.result["EntryContext"].items()}
    assert outputs.keys() == {"XSOAR.Mirror.Reconcile", "XSOAR.Mirror.Drift"}
    return outputs["XSOAR.Mirror.Drift"], outputs["XSOAR.Mirror.Reconcile"], outcome.result["HumanReadable"]


def run(server: Server, **args: Any) -> dict[str, tuple[list[str], list[str]]]:
    """Run the script, which must succeed; return the kinds of drift and the fields by remote ID."""
    return {row["id"]: (row["kinds"], row["fields"]) for row in shown(server, **args)[0]}


def asked(server: Server, command: str) -> list[dict[str, Any]]:
    """Return the arguments with which a command was run."""
    return [args for name, args in server.asked if name == command]


def test_only_what_differs_is_listed(server: Server, tenants: Tenants) -> None:
    """
    Given: four incidents, of which one has another name, one is closed there by the command, and one has both.
    When: the server runs the file as its main program.
    Then: three rows tell kinds, fields and the local incident; the title and the counts say three of four; nothing is repaired.
    """
    tenants.there = [there(number) for number in (1, 2, 3, 4)]
    tenants.here = [here(1), here(2, name="Ours"), here(3), here(4, severity=3, CustomFields={"depth": "5m"})]
    tenants.drifts = [drift(3, "closed"), drift(4, "entry missing", entries=["9@4"])]

    with freeze_time(NOW):
        outcome = server.run_script(lambda: runpy.run_path(str(script.__file__), run_name="__main__"), entries="true")

    counts, rows = outcome.result["EntryContext"].values()
    same = {"instance": "customer", "repaired": False, "decide": ""}
    assert rows == [
        {**same, "id": "2", "kinds": ["fields"], "entries": [], "local": "102", "fields": ["name"]},
        {**same, "id": "3", "kinds": ["closed"], "entries": [], "local": "103", "fields": []},
        {
            **same,
            "id": "4",
            "kinds": ["entry missing", "fields"],
            "entries": ["9@4"],
            "local": "104",
            "fields": ["depth", "severity"],
        },
    ]
    assert counts == {"Instance": "customer", "LookedAt": 4, "NotLookedAt": 0, "After": "", "Differ": 3}
    assert "3 of 4 incidents differ" in outcome.result["HumanReadable"]
    assert "With repair=true" in outcome.result["HumanReadable"]
    passed_on = {"scope": "open", "entries": "true", "repair": "false", "using": "customer"}
    assert asked(server, "xsoar-mirror-reconcile") == [passed_on]
    assert asked(server, "xsoar-mirror-resync") == []


def test_incidents_in_step_cost_a_search_for_fifty(server: Server, tenants: Tenants) -> None:
    """
    Given: 120 incidents that are equal, whose times are told in other precisions.
    When: the script runs.
    Then: three searches give all, none is asked for by itself, and nothing differs.
    """
    tenants.there = [there(number, dueDate="2026-03-09T00:00:00.000Z", phase=None) for number in range(120)]
    tenants.here = [here(number, created=LONG_AGO) for number in range(120)]

    rows, counts, text = shown(server)

    assert (rows, counts["LookedAt"], counts["NotLookedAt"]) == ([], 120, 0)
    assert "0 of 120 incidents differ" in text
    assert [args["max_results"] for args in asked(server, "xsoar-search-incidents")] == [50, 50, 20]
    assert asked(server, "xsoar-mirror-diff") == []


def test_all_empty_values_are_the_same(server: Server, tenants: Tenants) -> None:
    """
    Given: an incident whose fields are empty on both sides, each in its own way.
    When: the script runs.
    Then: nothing is asked for by itself.
    """
    tenants.there = [there(1, phase=None, dueDate="0001-01-01T00:00:00Z", CustomFields={"depth": []})]
    tenants.here = [here(1, phase="", dueDate=None, CustomFields={"depth": ""})]

    assert run(server) == {}
    assert asked(server, "xsoar-mirror-diff") == []


@pytest.mark.parametrize("side", ["here", "there"])
def test_what_changed_just_now_is_on_its_way(server: Server, tenants: Tenants, side: str) -> None:
    """
    Given: an incident that changed within two minutes on one side, by the clock of that side, which is an hour ahead there.
    When: the script runs.
    Then: it is not listed.
    """
    tenants.skew = 3600
    modified = {"here": JUST_NOW, "there": "2026-03-01T12:58:30Z"}
    tenants.there = [there(1, name="New", **({"modified": modified["there"]} if side == "there" else {}))]
    tenants.here = [here(1, **({"modified": modified["here"]} if side == "here" else {}))]

    assert run(server) == {}


def test_what_no_rule_or_policy_lets_cross_is_no_drift(server: Server, tenants: Tenants) -> None:
    """
    Given: three incidents with a custom field without a rule, one that is kept back, one that is of this tenant alone, the
        state of the mirroring, a severity that the policy keeps back, and a field that was emptied here.
    When: the script runs.
    Then: only the emptied field differs; what never crosses is asked for once, and the text names the field without a rule.
    """
    tenants.kept_back = {"secret", "severity"}
    theirs = {"depth": "4m", "secret": "x", "unruled": "x", "xsoarmirroringstate": "Behind"}
    tenants.there = [there(number, CustomFields=theirs) for number in (1, 2, 3)]
    for incident in tenants.there:
        del incident["severity"]
    mine = {"secret": "y", "unruled": "y", "xsoarmirroringstate": "In Step", "alone": "1"}
    tenants.here = [here(number, severity=4, CustomFields={"depth": "4m", **mine}) for number in (1, 2)]
    tenants.here.append(here(3, CustomFields=mine))

    rows, _, text = shown(server)

    assert [(row["id"], row["fields"]) for row in rows] == [("3", ["depth"])]
    assert [args["id"] for args in asked(server, "xsoar-mirror-diff")] == ["1", "3"]
    assert "Fields that differ and have no rule from xsoar-mirror-mappers: unruled." in text


def test_what_is_not_to_be_compared_is_left_out(server: Server, tenants: Tenants) -> None:
    """
    Given: incidents that are stopped, of another instance, without a direction, yet to be created there, closed, gone, and
        strangers, all with another name.
    When: the script runs.
    Then: only what the command names is listed, with the local incident, also of the closed one.
    """
    tenants.there, tenants.unknown = [there(number) for number in range(9)], {"1", "3", "7", "8"}
    changes: list[dict[str, Any]] = [
        {"CustomFields": {"xsoarmirroringstate": "Stopped"}},
        {"dbotMirrorInstance": "Customer"},
        {"dbotMirrorDirection": ""},
        {"dbotMirrorId": ""},
        {"status": 2},
        {},
        {},
    ]
    tenants.here = [here(number, name="Ours", **fields) for number, fields in enumerate(changes)]
    tenants.drifts = [drift(4, "restored"), drift(5, "gone", decide="Decide."), drift(6, "stranger")]

    rows, _, _ = shown(server)

    assert [(row["kinds"], row["local"]) for row in rows] == [(["restored"], "104"), (["gone"], "105"), (["stranger"], "106")]
    assert rows[1]["decide"] == "Decide."
    assert asked(server, "xsoar-mirror-diff") == []


def test_an_incident_without_its_other_half_is_named(server: Server, tenants: Tenants) -> None:
    """
    Given: remote incidents without a local one: one that differs, one that is equal, and one of each that may not be here yet;
        one that is closed here, and a local incident of which the remote has none.
    When: the script runs.
    Then: it names those that were here and are not, and what a person must decide; a few local searches find that out.
    """
    tenants.there = [there(number) for number in (1, 2, 3, 4, 5)]
    tenants.here = [here(5, status=2), here(9)]
    tenants.drifts = [drift(1, "changed"), drift(3, "changed")]
    tenants.unknown = {"3", "4"}

    rows, _, _ = shown(server)

    assert {row["id"]: row["kinds"] for row in rows} == {
        "1": ["changed", "no local incident"],
        "2": ["no local incident"],
        "3": ["changed"],
        "9": ["local only"],
    }
    assert {row["id"]: row["local"] for row in rows} == {"1": "", "2": "", "3": "", "9": "109"}
    assert [row["id"] for row in rows if not row["decide"]] == ["3"]
    searches = {args["query"] for args in asked(server, "getIncidents") if "dbotMirrorId" in args["query"]}
    assert searches == {" or ".join(f'dbotMirrorId:"{number}"' for number in (1, 3, 2, 5))}


def test_another_instance_may_mirror_an_incident_of_the_same_id(server: Server, tenants: Tenants) -> None:
    """
    Given: an incident that this instance mirrors, and a local one that another instance mirrors with its incident of that ID.
    When: the script runs.
    Then: the incident is missing here.
    """
    tenants.there, tenants.here = [there(1)], [here(1, dbotMirrorInstance="second")]

    assert run(server) == {"1": (["no local incident"], [])}


def test_one_that_cannot_be_compared_is_named_and_does_not_stop_others(server: Server, tenants: Tenants) -> None:
    """
    Given: two incidents that seem to differ, of which the first cannot be read by itself.
    When: the script runs.
    Then: it is listed as not compared with the reason; the other is compared.
    """
    tenants.there = [there(1), there(2)]
    tenants.here = [here(1, name="Ours"), here(2, name="Ours")]
    server.answers["xsoar-mirror-diff"] = lambda args: (
        error_entry("It is too large.") if args["id"] == "1" else tenants.diff(args)
    )

    rows, _, _ = shown(server)

    assert [(row["kinds"], row["decide"]) for row in rows] == [(["not compared"], "It is too large."), (["fields"], "")]


def test_repair_has_the_values_of_the_remote_brought(server: Server, tenants: Tenants) -> None:
    """
    Given: values that differ: of an incident both ways, one of which changes have yet to go out, one that goes out only, one
        whose due date differs alone and one with more, and one whose resync fails.
    When: the script repairs.
    Then: what can come in is resynced without entries; the others say what to decide.
    """
    tenants.there = [there(number) for number in range(1, 7)]
    tenants.here = [
        here(1, name="Ours"),
        here(2, name="Ours"),
        here(3, name="Ours", dbotMirrorDirection="Out"),
        here(4, dueDate="2026-04-01T00:00:00Z"),
        here(5, name="Ours", dueDate="2026-04-01T00:00:00Z"),
        here(6, name="Ours"),
    ]
    tenants.drifts = [drift(2, "unsent", decide="Wait.")]
    server.answers["xsoar-mirror-resync"] = lambda args: (
        error_entry("This instance does not mirror incident 6.") if args["id"] == "6" else entry({})
    )

    rows, _, text = shown(server, repair="true")

    told = {row["id"]: (row["repaired"], row["decide"]) for row in rows}
    not_in = "dueDate is never mirrored in: enter the right value here or there."
    assert told == {
        "1": (True, ""),
        "2": (False, "Wait."),
        "3": (False, "Its direction is outgoing only: enter here again the values that are to go out."),
        "4": (False, not_in),
        "5": (True, not_in),
        "6": (False, "This instance does not mirror incident 6."),
    }
    resyncs = [{"id": key, "fields": "true", "entries": "false", "using": "customer"} for key in ("1", "5", "6")]
    assert sorted(asked(server, "xsoar-mirror-resync"), key=lambda args: str(args["id"])) == resyncs
    assert asked(server, "xsoar-mirror-reconcile")[0]["repair"] == "true"
    assert "The next mirroring rounds repair" in text


def test_repair_is_offered_where_it_heals(server: Server, tenants: Tenants) -> None:
    """
    Given: an incident whose due date differs, which no round brings, and then one with another name too.
    When: the script runs.
    Then: the text offers the repair for the latter only.
    """
    tenants.there = [there(1), there(2)]
    tenants.here = [here(1, dueDate="2026-04-01T00:00:00Z"), here(2)]

    assert "repair=true" not in shown(server)[2]
    tenants.here[1]["name"] = "Ours"
    assert "repair=true" in shown(server)[2]


def test_the_limit_and_after_leave_out_nothing(server: Server, tenants: Tenants) -> None:
    """
    Given: seven incidents that differ, and a limit of three.
    When: the script runs, and goes on as it says.
    Then: each is compared once, then those of the earlier runs are looked up, and each run counts what is left.
    """
    tenants.there = [there(number) for number in range(7)]
    tenants.here = [here(number, name="Ours") for number in range(7)]
    seen: list[str] = []
    left: list[int] = []
    after = ""
    while not seen or after:
        rows, counts, text = shown(server, limit="3", after=after)
        seen += [row["id"] for row in rows]
        left.append(counts["NotLookedAt"])
        after = next(iter(re.findall(r"Continue with after=(\S+)\.$", text)), "")

    assert seen == list("0123456")
    assert left == [4, 1, 3, 1, 0]


@pytest.mark.parametrize(
    ("command", "number", "compared"),
    [("xsoar-search-incidents", 1, 0), ("xsoar-search-incidents", 2, 50), ("xsoar-mirror-diff", 2, 1)],
)
def test_a_limit_of_calls_says_what_was_not_looked_at(
    server: Server, tenants: Tenants, command: str, number: int, compared: int
) -> None:
    """
    Given: sixty incidents that differ, one that is missing here, and a remote that accepts no more calls after some.
    When: the script runs.
    Then: it lists what it compared, says how many were not and how to go on, and that what is missing here comes last.
    """
    tenants.there = [there(key) for key in range(60)]
    tenants.here = [here(key, name="Ours") for key in range(60)]
    tenants.there.append(there(77))
    well, calls = server.answers[command], count(1)
    server.answers[command] = lambda args: well(args) if next(calls) < number else error_entry(LIMITED)

    rows, counts, text = shown(server)

    assert len(rows) == compared
    assert counts["NotLookedAt"] == 60 - compared
    said = f"The values of {60 - compared} local incidents were not compared. {script.NO_MORE_CALLS} Continue with after="
    assert f"{said}{tenants.here[compared]['created']}." in text
    last = "1 remote incidents were not looked up here. The run that compares the last values looks them up."
    assert last in text


def test_what_the_command_did_not_look_at_is_told(server: Server, tenants: Tenants) -> None:
    """
    Given: a command that stopped before its end.
    When: the script runs.
    Then: the text and the count say so.
    """
    tenants.left = 12

    _, counts, text = shown(server)

    assert counts["NotLookedAt"] == 12
    assert "xsoar-mirror-reconcile did not compare 12 incidents: run it on its own, and it says where to continue." in text


@pytest.mark.parametrize(("seconds", "compared"), [(300, 0), (70, 1)])
def test_a_run_ends_before_the_server_ends_it(server: Server, tenants: Tenants, seconds: int, compared: int) -> None:
    """
    Given: three incidents that differ, and calls that take long.
    When: the script runs.
    Then: what is not compared within its time is told with how to go on.
    """
    tenants.there = [there(number) for number in (1, 2, 3)]
    tenants.here = [here(number, name="Ours") for number in (1, 2, 3)]
    time = count(0, seconds)

    with freeze_time(NOW):
        outcome = script.reconcile(script.parse({}), clock=lambda: next(time))

    assert [drift.id for drift in outcome.drifts] == ["1", "2", "3"][:compared]
    assert outcome.not_looked_at == 3 - compared
    go_on = f"This run is out of time: run it again. Continue with after={tenants.here[compared]['created']}."
    assert go_on in outcome.notes[0]


def test_missing_ones_are_looked_up_within_the_time_of_a_run(server: Server, tenants: Tenants) -> None:
    """
    Given: sixty incidents that are missing here, and searches that take long.
    When: the script runs, runs again with no time left, and goes on as it says.
    Then: it names those that it could look up, and says how many were not; each run goes on where the last one stopped.
    """
    tenants.there = [there(number) for number in range(1, 61)]
    named: list[int] = []
    left: list[int] = []
    after = ""
    for seconds in (150, 300, 0):
        time = count(0, seconds)
        with freeze_time(NOW):
            outcome = script.reconcile(script.parse({"after": after}), clock=time.__next__)
        named.append(len(outcome.drifts))
        left.append(outcome.not_looked_at)
        after = outcome.after
        assert (
            not after
            or f"{left[-1]} remote incidents were not looked up here. {script.NO_MORE_TIME} Continue with after={after}."
            in outcome.notes[0]
        )

    assert (named, left, after) == ([50, 0, 10], [10, 10, 0], "")


def test_missing_ones_are_looked_up_after_all_values_in_portions(server: Server, tenants: Tenants) -> None:
    """
    Given: five incidents in step, six that are missing here, and a limit of three.
    When: the script runs, and goes on as it says.
    Then: first all values are compared, then each missing incident is named once, and each run counts what is left.
    """
    tenants.there = [there(number) for number in range(1, 12)]
    tenants.here = [here(number) for number in (1, 3, 5, 7, 9)]
    named: list[list[str]] = []
    left: list[int] = []
    after = "0001-01-01T00:00:00Z"
    while after:
        rows, counts, text = shown(server, limit="3", after=after)
        named.append([row["id"] for row in rows])
        left.append(counts["NotLookedAt"])
        after = counts["After"]
        assert (f"Continue with after={after}." in text) is bool(after)

    assert named == [[], ["2"], ["4", "6"], ["8"], ["10", "11"]]
    assert left == [2, 6, 5, 2, 0]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"scope": "some"}, "scope is some: give open or all."),
        ({"entries": "few"}, "entries is few: give false, true or all."),
        ({"limit": "0"}, "limit is 0: give a whole number from 1 to 1000."),
        ({"after": "yesterday"}, "after is yesterday: give the value shown by the last run"),
        ({"after": "2026-13-01T00:00:00Z"}, "after is 2026-13-01T00:00:00Z"),
        ({"repair": "perhaps"}, "repair is perhaps: give true or false."),
        ({"instance": "nobody"}, "There is no instance nobody of XSOAR Mirroring. The existing ones are: customer, old."),
        ({"instance": "desk"}, "There is no instance desk of XSOAR Mirroring"),
        ({"instance": "old"}, "The instance old is disabled: enable it"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_done(
    server: Server, tenants: Tenants, args: dict[str, Any], said: str
) -> None:
    """
    Given: an argument that is wrong.
    When: the script runs.
    Then: one sentence says what to give, and nothing is asked for.
    """
    assert server.run_script(script.main, **args).error.startswith(said)
    assert server.asked == []


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({**MODULES, "second": MODULES["customer"]}, "an instance of XSOAR Mirroring: customer, second."),
        ({"old": MODULES["old"]}, "an instance of XSOAR Mirroring: none is enabled."),
        (None, "instance is missing: give the name"),
    ],
)
def test_the_instance_is_needed_unless_one_alone_is_enabled(server: Server, tenants: Tenants, modules: Any, said: str) -> None:
    """
    Given: two enabled instances, none, or a server that does not list them.
    When: the script runs without an instance.
    Then: a sentence asks for it; on a server that does not list them, one that is named is believed.
    """
    server.instances = modules
    assert said in server.run_script(script.main).error
    if not modules:
        assert run(server, instance="customer") == {}


@pytest.mark.parametrize(
    ("command", "answer", "said"),
    [
        ("xsoar-mirror-reconcile", error_entry(LIMITED), script.NO_MORE_CALLS),
        ("xsoar-mirror-reconcile", error_entry("Mirroring of customer is paused."), "Mirroring of customer is paused."),
        ("xsoar-mirror-reconcile", None, "xsoar-mirror-reconcile returned no result"),
        ("xsoar-mirror-status", ValueError("Unsupported Command : xsoar-mirror-status"), "Unsupported Command"),
        ("xsoar-mirror-status", entry("a text"), "xsoar-mirror-status returned no result: check that the instance is enabled"),
        ("getIncidents", entry("a text"), "getIncidents returned no result"),
        ("getIncidents", error_entry("Cannot parse the query."), "Cannot parse the query."),
    ],
)
def test_what_cannot_be_compared_at_all_is_told(server: Server, tenants: Tenants, command: str, answer: Any, said: str) -> None:
    """
    Given: a command that fails or gives nothing.
    When: the script runs.
    Then: one sentence says so.
    """
    server.answers[command] = answer

    assert said in server.run_script(script.main).error


def test_what_fields_hold_is_shown_as_text(server: Server, tenants: Tenants) -> None:
    """
    Given: a decision that holds Markdown and HTML.
    When: it is shown.
    Then: it is text.
    """
    tenants.drifts = [drift(1, "gone", decide="![x](http://example.com/x.png)<b>")]

    _, _, text = shown(server)

    assert "![" not in text
    assert "<b>" not in text
