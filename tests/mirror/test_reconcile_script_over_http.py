"""The script that compares the local incidents with the remote ones, run on a tenant against another over HTTP."""

from typing import Any

from local_xsoar.host import CommandRun
from tests.mirror.test_exact_over_http import chat
from tests.mirror.two_tenants import IN_TAG, INSTANCE, INTEGRATION, OUT_TAG, Mirror, Site, succeeded

SCRIPT = INTEGRATION.parents[1] / "Scripts" / "XSOARMirroringReconcile"
INCIDENTS = 30
NOWHERE = "404404"


def reconcile(made: Mirror, **args: str) -> CommandRun:
    """Run the script for all incidents."""
    return succeeded(made.host.run_script(SCRIPT, {"instance": INSTANCE, "scope": "all", **args}))


def drifts(run: CommandRun) -> dict[str, dict[str, Any]]:
    """Return what the script tells of each incident that differs, by the remote ID."""
    (entry,) = run.entries
    (told,) = [value for path, value in entry["EntryContext"].items() if path.startswith("XSOAR.Mirror.Drift(")]
    return {drift["id"]: drift for drift in told}


def kinds(run: CommandRun) -> dict[str, tuple[list[str], list[str]]]:
    """Return the kinds of drift, and the fields that differ, by the remote ID."""
    return {remote_id: (drift["kinds"], drift["fields"]) for remote_id, drift in drifts(run).items()}


def mirrored(made: Mirror) -> list[tuple[str, str]]:
    """Mirror incidents whose fields and entries crossed in both directions; return (remote ID, local ID) of each."""
    succeeded(made.host.run(INSTANCE, "xsoar-mirror-mappers", {}))
    ids = [
        made.remote_incident(name=f"Case {number}", severity=1, CustomFields={"depth": f"{number}m", "ticket": "T"})
        for number in range(INCIDENTS)
    ]
    made.fetch_all()
    pairs = [(remote_id, made.local_id(remote_id)) for remote_id in ids]
    made.until_quiet()
    for remote_id, local_id in pairs[::3]:
        made.here.change_incident(local_id, {"details": "seen here"}, user="hanna")
        chat(made.here, local_id, "from here", OUT_TAG)
        made.there.change_incident(remote_id, {"severity": 3}, user="carla")
        chat(made.there, remote_id, "from there", IN_TAG)
    made.until_quiet()
    made.pass_time(minutes=10)
    return pairs


def test_what_differs_is_named_and_healed(mirror: Mirror) -> None:
    """
    Given: thirty mirrored incidents, of which the values of some were changed here behind the mirror's back, one was deleted
        here, one is stopped, and one more says that it mirrors what is not there.
    When: the script runs, runs to repair, and runs again after two rounds.
    Then: each is named with its fields, and no other; what can be healed is healed, and the rest says what to decide.
    """
    pairs = mirrored(mirror)
    assert kinds(reconcile(mirror)) == {}
    behind: dict[int, dict[str, Any]] = {
        1: {"name": "Another"},
        4: {"severity": 2, "details": "lost"},
        7: {"CustomFields": {"depth": "9 fathoms"}},
        9: {"CustomFields": {"ticket": ""}},
        12: {"phase": "Triage", "CustomFields": {"depth": "0"}},
    }
    for number, changes in behind.items():
        mirror.here.change_incident(pairs[number][1], changes, dirty=False)
    deleted, stopped = pairs[14], pairs[16]
    mirror.here.delete_incident(deleted[1])
    succeeded(mirror.host.run(INSTANCE, "xsoar-mirror-stop", {"id": stopped[0]}))
    mirror.round()
    mirror.there.change_incident(stopped[0], {"severity": 4}, user="carla")
    lonely = {"name": "Lonely", "dbotMirrorInstance": INSTANCE, "dbotMirrorId": NOWHERE, "dbotMirrorDirection": "Both"}
    mirror.here.create_incident(lonely, user="hanna")
    mirror.pass_time(minutes=10)
    healed = {
        pairs[1][0]: (["fields"], ["name"]),
        pairs[4][0]: (["fields"], ["details", "severity"]),
        pairs[7][0]: (["fields"], ["depth"]),
        pairs[9][0]: (["fields"], ["ticket"]),
        pairs[12][0]: (["fields"], ["phase", "depth"]),
    }
    left: dict[str, tuple[list[str], list[str]]] = {deleted[0]: (["no local incident"], []), NOWHERE: (["local only"], [])}

    first, before = reconcile(mirror), [mirror.here.incident(local_id) for _, local_id in pairs if local_id != deleted[1]]
    repair = reconcile(mirror, repair="true")

    assert kinds(first) == kinds(repair) == {**healed, **left}
    assert "7 of 30 incidents differ" in first.entries[0]["HumanReadable"]
    assert {drift["id"]: drift["local"] for drift in drifts(first).values() if drift["id"] in healed} == {
        remote_id: local_id for remote_id, local_id in pairs if remote_id in healed
    }
    assert [mirror.here.incident(local_id) for _, local_id in pairs if local_id != deleted[1]] == before
    assert {remote_id for remote_id, drift in drifts(repair).items() if drift["repaired"]} == healed.keys()
    mirror.until_quiet()
    mirror.pass_time(minutes=10)
    last = reconcile(mirror)
    assert kinds(last) == left
    assert all(drift["decide"] for drift in drifts(last).values())
    # The stopped one stays as it was.
    assert mirror.here.incident(stopped[1])["severity"] == 1

    succeeded(mirror.host.run(INSTANCE, "xsoar-mirror-stop", {"id": deleted[0]}))
    mirror.here.change_incident(drifts(last)[NOWHERE]["local"], {"dbotMirrorInstance": ""}, user="hanna")
    assert kinds(reconcile(mirror)) == {}


def test_what_was_deleted_here_long_ago_is_named(mirror: Mirror) -> None:
    """
    Given: mirrored incidents, of which two were deleted here two months ago, quiet and equal since, and one was closed here; and
        one that was fetched just now.
    When: the script runs in both scopes, and then in portions of ten, going on as it says.
    Then: the deleted ones are named, in the portions once each, and no other.
    """
    pairs = mirrored(mirror)
    deleted = [pairs[number] for number in (3, 22)]
    for _, local_id in deleted:
        mirror.here.delete_incident(local_id)
    mirror.here.close_incident(pairs[5][1], user="hanna")
    mirror.until_quiet()
    mirror.pass_time(hours=24 * 60)
    mirror.until_quiet()
    mirror.remote_incident(name="New")
    mirror.fetch()
    expected: dict[str, tuple[list[str], list[str]]] = {remote_id: (["no local incident"], []) for remote_id, _ in deleted}

    assert kinds(reconcile(mirror)) == kinds(reconcile(mirror, scope="open")) == expected
    named: list[str] = []
    after = "2000-01-01T00:00:00Z"
    while after:
        run = reconcile(mirror, limit="10", after=after)
        named += kinds(run)
        (after,) = [value["After"] for path, value in run.entries[0]["EntryContext"].items() if "Reconcile" in path]
    assert sorted(named) == sorted(expected)


def test_few_calls_prove_it_and_a_quota_says_how_to_go_on(site: Site) -> None:
    """
    Given: thirty mirrored incidents, two of them changed here, and a remote that lets five calls pass a minute.
    When: the script runs without the quota, then with it, and goes on in the next minute as it says.
    Then: six calls prove it; the two runs with the quota name the same.
    """
    made = site.mirror("8", "8")
    made.configure()
    pairs = mirrored(made)
    for number in (2, 28):
        made.here.change_incident(pairs[number][1], {"name": "Another"}, dirty=False)
    made.pass_time(minutes=10)
    made.interference.forget()
    expected = {pairs[number][0]: (["fields"], ["name"]) for number in (2, 28)}

    assert kinds(reconcile(made)) == expected
    # The status asks for two, the command for one, one search gives all incidents, and one is loaded for each that differs.
    assert len(made.interference.paths) == 2 + 1 + 1 + 2

    made.interference.calls_a_minute = 5
    found: list[dict[str, Any]] = []
    after = ""
    for _ in range(2):
        made.interference.next_minute()
        run = reconcile(made, after=after)
        found.append(kinds(run))
        _, _, after = run.entries[0]["HumanReadable"].rstrip(".").partition("Continue with after=")

    assert [len(some) for some in found] == [1, 1]
    assert found[0] | found[1] == expected
    assert after == ""
