"""Tests of the script, run as the server does: through `main`, with a server that has instances and keeps incidents."""

import runpy
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

import XSOARMirroringWatch as script
from stand_ins import NOW, Server, error_entry

MODULES = {
    "customer": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "active"},
    "old": {"brand": "XSOAR Mirroring", "category": "Utilities", "state": "disabled"},
    "desk": {"brand": "Ticket Desk", "category": "Case Management", "state": "active"},
}
AWAY = "hq.example.com cannot be reached: check the XSOAR Server URL."
NAME = "XSOAR Mirroring needs attention: customer"


def entry(contents: Any, context: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return what a command gives a script."""
    return [{"Type": 1, "ContentsFormat": "json", "Contents": contents, "EntryContext": context or {}}]


def ago(minutes: float) -> str:
    """Return a time some minutes before NOW, as the status gives it."""
    return (datetime.fromisoformat(NOW) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def status(**changes: Any) -> list[dict[str, Any]]:
    """Return the entries of xsoar-mirror-status on an instance that is well, with some values as they are given."""
    well = {
        "Instance": "customer",
        "State": "Running",
        "PausedUntil": None,
        "RemoteError": "",
        "LastRound": ago(4),
        "LastFetch": ago(5),
        "IncidentsTracked": 12,
        "IncidentsPending": 2,
        "IncidentsWithError": 0,
        "OldestPendingSeconds": 60,
        "LagP95Seconds": 45,
        "LastError": "",
        "LastErrorCommand": "",
        "LastErrorTime": None,
    }
    return entry({**well, **changes})


class Desk:
    """The incidents of a server: what its commands make of them. `fails` holds what a command gives instead."""

    def __init__(self, server: Server) -> None:
        self.incidents: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, Any] = {"customer": status()}
        server.instances = dict(MODULES)
        server.answers = {
            "getIncidents": self.find,
            "createNewIncident": self.create,
            "setIncident": self.change,
            "closeInvestigation": self.close,
        }
        self.server = server

    def find(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the open incidents, in pages of two."""
        assert args["query"] == 'name:"XSOAR Mirroring needs attention" -status:closed'
        found = [incident for incident in self.incidents.values() if incident["status"] != 2]
        return entry({"data": found[args["page"] * 2 : args["page"] * 2 + 2] or None, "total": len(found)})

    def create(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Keep a new incident."""
        incident_id = str(len(self.incidents) + 1)
        self.incidents[incident_id] = {"id": incident_id, "status": 1, "created": NOW, **args}
        return entry("created", {"CreatedIncidentID": incident_id})

    def change(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Change an incident."""
        self.incidents[args["id"]] |= args
        return entry("done")

    def close(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        """Close an incident."""
        self.incidents[args["id"]] |= {**args, "status": 2}
        return entry("done")

    def hold(self, name: str = NAME, **fields: Any) -> str:
        """Keep an open incident that an earlier run made; return its ID."""
        made = {"name": name, "details": "how it is\n\n- It was so.\n- And so.\n\nSeen", "created": ago(90), **fields}
        return str(self.create(made)[0]["EntryContext"]["CreatedIncidentID"])

    def open(self) -> list[dict[str, Any]]:
        """Return the open incidents."""
        return [incident for incident in self.incidents.values() if incident["status"] != 2]

    def run(self, **args: Any) -> dict[str, dict[str, Any]]:
        """Run the script, which must succeed; return what it puts into the context, by instance."""
        outcome = self.attempt(**args)
        assert not outcome.error, outcome.error
        ((path, rows),) = outcome.result["EntryContext"].items()
        assert path == "XSOAR.Mirror.Watch(val.Instance && val.Instance == obj.Instance)"
        assert [row.keys() for row in rows] == [{"Instance", "State", "Reasons", "Incident", "Change"}] * len(rows)
        return {row["Instance"]: row for row in rows}

    def attempt(self, **args: Any) -> Any:
        """Run the script, whatever comes of it; the instances answer as `statuses` says."""
        self.server.answers |= self.statuses
        return self.server.run_script(script.main, **args)

    def asked(self, command: str) -> list[dict[str, Any]]:
        """Return the arguments with which a command was run."""
        return [args for name, args in self.server.asked if name == command]

    def changed(self) -> list[str]:
        """Return which commands ran that change something."""
        changing = ("createNewIncident", "setIncident", "closeInvestigation")
        return [name for name, _ in self.server.asked if name in changing]


@pytest.fixture
def desk(server: Server) -> Desk:
    """A server with one enabled instance, which is well, a disabled one, and one of another integration; and no incident."""
    return Desk(server)


def by_command(**answers: Any) -> Any:
    """Return what an instance answers, by command: `status`, `journal`, `reconcile`."""
    return {f"xsoar-mirror-{name}": answer for name, answer in answers.items()}


def test_an_instance_that_is_well_needs_no_incident(desk: Desk) -> None:
    """
    Given: an instance that is well.
    When: the server runs the file as its main program, without arguments.
    Then: it is told as well, the disabled one was not asked, and nothing was changed.
    """
    desk.server.answers |= desk.statuses

    outcome = desk.server.run_script(lambda: runpy.run_path(str(script.__file__), run_name="__main__"))

    ((row,),) = outcome.result["EntryContext"].values()
    assert row == {"Instance": "customer", "State": "Well", "Reasons": [], "Incident": "", "Change": "none"}
    assert desk.asked("xsoar-mirror-status") == [{"using": "customer"}]
    assert desk.changed() == []
    assert "0 of 1 instances of XSOAR Mirroring need attention" in outcome.result["HumanReadable"]


def test_an_ailing_instance_has_one_incident_until_it_is_well(desk: Desk) -> None:
    """
    Given: an instance whose remote tenant is away for three runs.
    When: the script runs, and once more when the remote is back.
    Then: the first run creates an incident with the reason, the next ones update it, the last one closes it and says of what.
    """
    desk.statuses["customer"] = status(RemoteError=AWAY)
    down = [desk.run()["customer"] for _ in range(3)]
    (incident,) = desk.open()
    assert [(row["State"], row["Incident"], row["Change"]) for row in down] == [
        ("Down", "1", "created"),
        ("Down", "1", "updated"),
        ("Down", "1", "updated"),
    ]
    assert down[0]["Reasons"] == [AWAY]
    assert (incident["name"], incident["type"], incident["severity"]) == (NAME, "Unclassified", 3)
    assert f"- {AWAY}\n" in incident["details"]
    assert [name for name in incident if name.startswith("dbotMirror")] == []

    desk.statuses["customer"] = status()
    well = desk.run()["customer"]

    assert (well["State"], well["Incident"], well["Change"]) == ("Well", "1", "closed")
    assert desk.open() == []
    assert incident["closeReason"] == "Resolved"
    assert incident["closeNotes"] == (
        f"The instance customer has recovered. It had problems from 2026-03-01 12:00 UTC to 2026-03-01 12:00 UTC. {AWAY}"
    )
    assert len(desk.incidents) == 1
    assert desk.run()["customer"]["Change"] == "none"


def test_the_closing_note_says_since_when_and_what_it_was(desk: Desk) -> None:
    """
    Given: an incident that was opened ninety minutes ago, for two reasons.
    When: its instance is well.
    Then: the closing note has the times and both reasons.
    """
    incident_id = desk.hold()

    desk.run()

    assert desk.incidents[incident_id]["closeNotes"] == (
        "The instance customer has recovered. It had problems from 2026-03-01 10:30 UTC to 2026-03-01 12:00 UTC."
        " It was so. And so."
    )


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({"LastRound": ago(11)}, "Attention", "has not mirrored in for 11 minutes"),
        ({"LastRound": ago(31)}, "Down", "has not mirrored in for 31 minutes"),
        ({"LastFetch": ago(11)}, "Attention", "The last fetch was 11 minutes ago"),
        ({"OldestPendingSeconds": 1860}, "Attention", "has been waiting for 31 minutes"),
        ({"IncidentsWithError": 3}, "Attention", "Incidents with errors: 3."),
        (
            {
                "LastRound": None,
                "LastFetch": None,
                "LastErrorCommand": "fetch-incidents",
                "LastError": "No.",
                "LastErrorTime": ago(1),
            },
            "Attention",
            "It has neither fetched nor mirrored in yet: click Test in the instance. fetch-incidents fails: No.",
        ),
        (
            {
                "LastFetch": ago(40),
                "LastErrorCommand": "fetch-incidents",
                "LastError": "Wrong\nquery.",
                "LastErrorTime": ago(1),
            },
            "Attention",
            "fetch-incidents fails: Wrong query.",
        ),
    ],
)
def test_what_ails_is_told_with_its_severity(desk: Desk, changes: dict[str, Any], state: str, said: str) -> None:
    """
    Given: an instance with one thing that is above its limit.
    When: the script runs.
    Then: an incident of the severity of its state says so.
    """
    desk.statuses["customer"] = status(**changes)

    row = desk.run()["customer"]

    (reason,) = row["Reasons"]
    assert (row["State"], said in reason) == (state, True)
    (incident,) = desk.open()
    assert incident["severity"] == {"Attention": 2, "Down": 3}[state]
    assert f"- {reason}\n" in incident["details"]


@pytest.mark.parametrize(
    "changes",
    [
        {"LastRound": ago(10), "LastFetch": ago(10)},
        {"LastRound": None, "LastFetch": ago(1)},
        {"LastRound": ago(1), "LastFetch": None},
        {"LastRound": None, "LastFetch": None, "IncidentsTracked": 0},
        {"LastErrorCommand": "fetch-incidents", "LastError": "Once.", "LastErrorTime": ago(2)},
        {"OldestPendingSeconds": 1800, "LagP95Seconds": 1800},
        {"LagP95Seconds": None},
    ],
)
def test_what_may_well_be_is_no_ailment(desk: Desk, changes: dict[str, Any]) -> None:
    """
    Given: an instance at its limits, one that does not do all that an instance can, and one that failed once.
    When: the script runs.
    Then: it is well.
    """
    desk.statuses["customer"] = status(**changes)

    assert desk.run()["customer"]["State"] == "Well"
    assert desk.open() == []


def test_an_error_that_is_long_past_is_not_named_as_the_cause(desk: Desk) -> None:
    """
    Given: an instance that has stood still for 40 minutes and failed last two days ago.
    When: the script runs.
    Then: that error is not told.
    """
    desk.statuses["customer"] = status(
        LastFetch=ago(40), LastErrorCommand="fetch-incidents", LastError="Long ago.", LastErrorTime=ago(2880)
    )

    assert "Long ago." not in desk.run()["customer"]["Reasons"][0]


@pytest.mark.parametrize(
    ("args", "changes"),
    [
        ({"lag_minutes": "60"}, {"OldestPendingSeconds": 3600}),
        ({"round_minutes": "45"}, {"LastRound": ago(45), "LastFetch": ago(45)}),
    ],
)
def test_the_limits_may_be_set(desk: Desk, args: dict[str, str], changes: dict[str, Any]) -> None:
    """
    Given: an instance that needs attention by the default limits.
    When: the script runs with wider ones, and with the default ones.
    Then: it is well by the first.
    """
    desk.statuses["customer"] = status(**changes)

    assert desk.run(**args)["customer"]["State"] == "Well"
    assert desk.run()["customer"]["State"] in ("Attention", "Down")


@pytest.mark.parametrize(
    ("lags", "state"),
    [([4000, 5, None, 9], "Attention"), ([5, 1800, None], "Well"), ([], "Well"), ([4000, *[5] * 19], "Well")],
    ids=["slow", "in time again", "nothing crossed", "one of twenty"],
)
def test_a_lag_ails_only_where_it_is_of_late(desk: Desk, lags: list[int | None], state: str) -> None:
    """
    Given: an instance whose journal holds crossings that took more than an hour.
    When: the script asks what crossed in the last minutes.
    Then: the instance needs attention where more than one of twenty of these took too long, and not for those of an outage that
        is over.
    """
    slow = status(LagP95Seconds=4000)
    desk.statuses = by_command(status=slow, journal=entry({"Crossings": [{"LagSeconds": lag} for lag in lags]}))

    row = desk.run(lag_minutes="45")["customer"]

    assert row["State"] == state
    assert desk.asked("xsoar-mirror-journal") == [{"since": "45 minutes", "limit": "2000", "using": "customer"}]
    assert ["1 took longer than 45 minutes" in reason for reason in row["Reasons"]] == ([True] if state == "Attention" else [])


def test_a_paused_instance_does_not_ail_and_its_incident_waits(desk: Desk) -> None:
    """
    Given: two paused instances, one of them with an incident from before, and nothing brought for long.
    When: the script runs.
    Then: both are told as paused until when; no incident is created, and the one there is stays open as it is.
    """
    incident_id = desk.hold()
    before = dict(desk.incidents[incident_id])
    desk.server.instances["second"] = MODULES["customer"]
    paused = status(State="Paused", PausedUntil="2026-03-01T13:00:00.000Z", LastRound=ago(99), OldestPendingSeconds=9999)
    desk.statuses = {"customer": paused, "second": paused}

    rows = desk.run()

    said = ["It is paused until 2026-03-01T13:00:00.000Z: run xsoar-mirror-resume to end the pause."]
    assert rows["customer"] == {
        "Instance": "customer",
        "State": "Paused",
        "Reasons": said,
        "Incident": incident_id,
        "Change": "none",
    }
    assert (rows["second"]["State"], rows["second"]["Incident"]) == ("Paused", "")
    assert desk.incidents == {incident_id: before}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (error_entry("API Key is missing:\ngenerate one."), "It does not answer: API Key is missing: generate one."),
        (ValueError("Unsupported Command : xsoar-mirror-status"), "Unsupported Command"),
        (None, "returned no result"),
        (entry("a text"), "returned no result"),
        (status(LastRound="yesterday"), "It does not answer"),
    ],
    ids=["error entry", "raised", "nothing", "no status", "not to be read"],
)
def test_an_instance_that_does_not_answer_is_down_and_hides_no_other(desk: Desk, given: Any, said: str) -> None:
    """
    Given: two instances, one whose status fails in one of the ways in which commands fail, and one with errors.
    When: the script runs.
    Then: each has an incident of its own, and the worst comes first.
    """
    desk.server.instances["second"] = MODULES["customer"]
    desk.statuses = {"customer": given, "second": status(IncidentsWithError=1)}

    rows = desk.run()

    assert list(rows) == ["customer", "second"]
    assert (rows["customer"]["State"], rows["second"]["State"]) == ("Down", "Attention")
    assert said in rows["customer"]["Reasons"][0]
    assert [incident["name"] for incident in desk.open()] == [NAME, NAME.replace("customer", "second")]


def test_of_two_open_incidents_the_oldest_is_kept(desk: Desk) -> None:
    """
    Given: three open incidents for one instance, as two runs at once may make, and one with a longer name.
    When: the instance still needs attention.
    Then: the oldest is updated, the others are closed as its duplicates, and the one of another name is left alone.
    """
    first, second, third = desk.hold(), desk.hold(), desk.hold()
    other = desk.hold(f"Ticket: {NAME}")
    desk.statuses["customer"] = status(RemoteError=AWAY)

    row = desk.run()["customer"]

    assert (row["Incident"], row["Change"]) == (first, "updated")
    assert [incident["id"] for incident in desk.open()] == [first, other]
    assert [desk.incidents[number]["closeReason"] for number in (second, third)] == ["Duplicate"] * 2
    assert desk.incidents[second]["closeNotes"] == f"Incident {first} is already open for the same instance."


@pytest.mark.parametrize("fields", [{"dbotMirrorId": "4"}, {"dbotMirrorInstance": "customer"}])
def test_the_incident_of_another_tenant_is_left_alone(desk: Desk, fields: dict[str, str]) -> None:
    """
    Given: an incident of the same name that was mirrored here from a tenant that watches, too.
    When: the instance is well.
    Then: it stays open.
    """
    desk.hold(**fields)

    assert desk.run()["customer"]["Change"] == "none"
    assert len(desk.open()) == 1


def test_the_incident_of_an_instance_that_is_gone_is_closed(desk: Desk) -> None:
    """
    Given: open incidents of an instance that was disabled and of one that was deleted meanwhile.
    When: the script watches all instances, after it watched one alone.
    Then: it closes both, and only then.
    """
    disabled, deleted = desk.hold(NAME.replace("customer", "old")), desk.hold(NAME.replace("customer", "former"))
    desk.run(instance="customer")
    assert len(desk.open()) == 2

    rows = desk.run()

    assert [(rows[name]["State"], rows[name]["Change"]) for name in ("old", "former")] == [("Disabled", "closed")] * 2
    assert "is disabled or deleted. It had problems from" in desk.incidents[disabled]["closeNotes"]
    assert (desk.incidents[deleted]["status"], desk.open()) == (2, [])


def test_an_incident_that_was_closed_by_hand_is_opened_anew(desk: Desk) -> None:
    """
    Given: an instance that needs attention, and whose incident somebody closed.
    When: the script runs.
    Then: there is another one.
    """
    desk.hold(status=2)
    desk.statuses["customer"] = status(RemoteError=AWAY)

    assert desk.run()["customer"]["Change"] == "created"
    assert len(desk.open()) == 1


def drift(*rows: dict[str, Any], left: int = 0) -> list[dict[str, Any]]:
    """Return the entries of xsoar-mirror-reconcile."""
    summary = {"Instance": "customer", "LookedAt": 12, "NotLookedAt": left, "Differ": len(rows)}
    return entry({}, {"XSOAR.Mirror.Reconcile(val)": summary, "XSOAR.Mirror.Drift(val)": list(rows)})


GONE = {"id": "4", "instance": "customer", "kinds": ["gone"], "decide": "Let the key's role see the incident again."}
CHANGED = {"id": "5", "instance": "customer", "kinds": ["changed"], "decide": ""}


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (drift(), "Well", []),
        (drift(CHANGED), "Well", ["Incidents that differ but that the next rounds will repair: 1."]),
        (drift(left=7), "Well", ["Incidents not compared because time or API calls ran out: 7."]),
        (drift(GONE), "Attention", ["need a decision: 1, with the remote IDs 4 (gone). xsoar-mirror-reconcile says what"]),
        (drift(*[GONE] * 6), "Attention", ["need a decision: 6, with the remote IDs 4 (gone), "]),
        (error_entry("API rate limit: wait."), "Attention", ["could not be compared with the remote tenant: API rate limit"]),
        (entry({}), "Down", ["xsoar-mirror-reconcile returned no result"]),
    ],
    ids=["none", "on its way", "not all", "one", "many", "error", "nothing"],
)
def test_drift_that_needs_a_decision_ails(desk: Desk, answer: Any, state: str, said: list[str]) -> None:
    """
    Given: an instance that is well by its status.
    When: the script also compares its incidents with the remote ones.
    Then: it needs attention where one needs a decision or they cannot be compared, and not for what the next rounds set right.
    """
    desk.statuses = by_command(status=status(), reconcile=answer)

    row = desk.run(drift="true")["customer"]

    assert row["State"] == state
    assert [part in reason for part, reason in zip(said, row["Reasons"], strict=True)] == [True] * len(said)
    assert desk.asked("xsoar-mirror-reconcile") == [{"using": "customer"}]


@pytest.mark.parametrize(
    ("args", "changes"),
    [({}, {}), ({"drift": "false"}, {}), ({"drift": "true"}, {"RemoteError": AWAY}), ({"drift": "true"}, {"State": "Paused"})],
)
def test_incidents_are_compared_only_where_that_is_wanted_and_can_be(
    desk: Desk, args: dict[str, str], changes: dict[str, Any]
) -> None:
    """
    Given: an instance that is well, down or paused.
    When: the script runs without drift, or with it where the remote cannot or may not be asked.
    Then: nothing is compared.
    """
    desk.statuses["customer"] = status(**changes)

    desk.run(**args)

    assert desk.asked("xsoar-mirror-reconcile") == []


def test_an_instance_that_was_not_asked_is_neither_well_nor_ailing(desk: Desk) -> None:
    """
    Given: four instances of which each takes 90 seconds to say that its remote is away, and drift to look for.
    When: they are asked.
    Then: those for which no time is left are told as not asked, and their incidents stay as they are.
    """
    incident_id = desk.hold(NAME.replace("customer", "d"))
    desk.server.instances = dict.fromkeys("abcd", MODULES["customer"])
    desk.server.answers |= {name: status(RemoteError="away") for name in "abcd"}
    seconds = count(0, 60)

    rows = script.watch(script.parse({}), datetime.fromisoformat(NOW), clock=lambda: next(seconds))

    assert [(row.instance, row.state) for row in rows] == [
        ("a", "Down"),
        ("b", "Down"),
        ("c", "Not asked"),
        ("d", "Not asked"),
    ]
    assert (rows[-1].incident, rows[-1].change) == (incident_id, "none")
    assert len(desk.open()) == 3


def test_no_comparison_is_begun_that_the_server_would_end(desk: Desk) -> None:
    """
    Given: an instance whose status took two minutes.
    When: drift is to be looked for.
    Then: it is not, and the instance is not told as well.
    """
    desk.server.answers |= desk.statuses
    seconds = iter([0, 10, 130])

    (row,) = script.watch(script.parse({"drift": "true"}), datetime.fromisoformat(NOW), clock=lambda: next(seconds))

    assert (row.state, row.change) == ("Not asked", "none")
    assert desk.asked("xsoar-mirror-reconcile") == []


def test_the_task_fails_where_an_instance_was_not_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Given: no time at all.
    When: the script runs.
    Then: it ends with an error that names the instance and the remedy, so that the job shows it.
    """
    monkeypatch.setattr(script, "ASKING_SECONDS", -1)

    error = desk.attempt().error

    assert error == "customer: There was no time left to check it: create a separate job for it, with its name as instance."


@pytest.mark.parametrize(
    ("command", "state"), [("createNewIncident", "down"), ("setIncident", "down"), ("closeInvestigation", "well")]
)
def test_an_incident_that_cannot_be_written_is_told_and_hides_no_other(desk: Desk, command: str, state: str) -> None:
    """
    Given: a server that refuses what the incident of one instance needs, and another instance that needs attention.
    When: the script runs.
    Then: the other one has its incident, and the run ends with an error that names the first.
    """
    desk.server.instances["second"] = MODULES["customer"]
    down = status(RemoteError=AWAY)
    desk.statuses = {"customer": down if state == "down" else status(), "second": down}
    if command != "createNewIncident":
        desk.hold()
    well = desk.server.answers[command]

    def refuses(args: dict[str, Any]) -> Any:
        is_first = args.get("name") == NAME or args.get("id") == "1"
        return error_entry("Not allowed.") if is_first else well(args)

    desk.server.answers[command] = refuses

    error = desk.attempt().error

    assert error == (
        "customer: Its incident could not be written: Not allowed. Check the permissions of the user that runs the job."
    )
    assert NAME.replace("customer", "second") in [incident["name"] for incident in desk.open()]


@pytest.mark.parametrize("answer", [error_entry("Cannot search."), None, entry("a text"), RuntimeError("Lost.")])
def test_without_the_open_incidents_nothing_is_created(desk: Desk, answer: Any) -> None:
    """
    Given: an instance that needs attention, and a server that does not give its incidents.
    When: the script runs.
    Then: it fails, so that no second incident comes.
    """
    desk.statuses["customer"] = status(RemoteError=AWAY)
    desk.server.answers["getIncidents"] = answer

    assert desk.attempt().error
    assert desk.changed() == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"lag_minutes": "0"}, "lag_minutes is 0: give a whole number of minutes from 1 to 1440."),
        ({"lag_minutes": "half"}, "lag_minutes is half: give"),
        ({"round_minutes": "5"}, "round_minutes is 5: give a whole number of minutes from 6 to 1440."),
        ({"round_minutes": "-10"}, "round_minutes is -10: give"),
        ({"drift": "perhaps"}, "drift is perhaps: give true or false."),
        ({"instance": "nobody"}, "There is no instance nobody of XSOAR Mirroring. The existing ones are: customer, old."),
        ({"instance": "desk"}, "There is no instance desk of XSOAR Mirroring"),
        ({"instance": "old"}, "The instance old is disabled: enable it"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_is_done(desk: Desk, args: dict[str, str], said: str) -> None:
    """
    Given: an argument that is wrong.
    When: the script runs.
    Then: one sentence says what to give, and nothing is asked for.
    """
    assert desk.attempt(**args).error.startswith(said)
    assert desk.server.asked == []


@pytest.mark.parametrize("modules", [{}, None])
def test_a_server_that_does_not_list_its_instances(desk: Desk, modules: Any) -> None:
    """
    Given: a server that lists no instances, and an open incident.
    When: the script runs for one instance, and for all.
    Then: the one is watched; for all it says what to do, and closes nothing.
    """
    desk.hold(NAME.replace("customer", "former"))
    desk.server.instances = modules

    assert desk.run(instance="customer")["customer"]["State"] == "Well"
    assert "give its name as instance" in desk.attempt().error
    assert len(desk.open()) == 1


def test_without_an_enabled_instance_it_says_so(desk: Desk) -> None:
    """
    Given: a server whose only instance is disabled.
    When: the script runs.
    Then: the table says so.
    """
    del desk.server.instances["customer"]

    assert "There is no enabled instance of XSOAR Mirroring" in desk.attempt().result["HumanReadable"]


def test_the_type_of_the_incidents_may_be_chosen(desk: Desk) -> None:
    """
    Given: an instance that needs attention.
    When: the script runs with a type.
    Then: the incident has it.
    """
    desk.statuses["customer"] = status(RemoteError=AWAY)

    desk.run(incident_type="Health Check")

    assert [incident["type"] for incident in desk.open()] == ["Health Check"]


def test_what_an_answer_holds_is_shown_as_text(desk: Desk) -> None:
    """
    Given: a remote with an error that holds Markdown and HTML.
    When: it is shown.
    Then: it is text.
    """
    desk.statuses["customer"] = status(RemoteError="![x](http://example.com/x.png)<b>")

    shown = desk.attempt().result["HumanReadable"]

    assert "![" not in shown
    assert "<b>" not in shown
