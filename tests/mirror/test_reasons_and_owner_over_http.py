"""Close reasons that the tenants call differently, the owner that stays each tenant's own, tags of what came in, reopening."""

import json
from typing import Any

import pytest

from local_xsoar.custom_mappers import custom_mappers
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.test_fields_over_http import in_step, value_of
from tests.mirror.test_partial_over_http import refusing
from tests.mirror.test_status_over_http import ACTIVE, CLOSED, statuses
from tests.mirror.test_test_button import fails_with
from tests.mirror.two_tenants import IN_TAG, INSTANCE, INTEGRATION, OUT_TAG, Mirror, Site, succeeded, working_params

REASONS = "False Positive = Benign\n  Resolved=Handled\n\nDuplicate = Handled  "
ALL_TYPES = "dbot_classification_incident_type_all"


def closing(made: Mirror, remote_id: str, local_id: str) -> list[tuple[str, str]]:
    """Return the close reason and the end of the notes, there and here."""
    incidents = (made.there.incident(remote_id), made.here.incident(local_id))
    return [(incident["closeReason"], str(incident["closeNotes"]).rpartition("\n")[2]) for incident in incidents]


# Close reasons


@pytest.mark.parametrize(("theirs", "ours"), [("False Positive", "Benign"), ("Duplicate", "Handled"), ("Other", "Other")])
@pytest.mark.parametrize("version", ["6", "8"])
def test_a_reason_that_comes_in(site: Site, version: str, theirs: str, ours: str) -> None:
    """
    Given: lines for close reasons.
    When: an incident is closed there, and reopened and closed again.
    Then: it is closed here for our reason each time, and theirs stays there.
    """
    made = site.mirror("8", version)
    made.configure(close_reasons=REASONS)
    remote_id, local_id = in_step(made)
    for notes in ("first", "second"):
        made.there.close_incident(remote_id, reason=theirs, notes=notes, user="carla")
        made.until_quiet()
        assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
        assert closing(made, remote_id, local_id) == [(theirs, notes), (ours, notes)]
        made.there.reopen_incident(remote_id, user="carla")
        made.until_quiet()


def test_the_reason_of_an_incident_that_is_closed_when_it_is_fetched(site: Site) -> None:
    """
    Given: an incident that was closed there before it was fetched.
    When: it is fetched.
    Then: it is closed here for our reason.
    """
    made = site.mirror("8", "8")
    made.configure(close_reasons=REASONS)
    remote_id = made.remote_incident()
    made.there.close_incident(remote_id, reason="False Positive", notes="before", user="carla")
    local_id = made.fetched_once()
    made.until_quiet()

    assert closing(made, remote_id, local_id)[1] == ("Benign", "before")


# Behind each: the reason there where the remote offers XSOAR's four, and where it takes any.
OUT = [
    ("Benign", ("False Positive", "done"), ("False Positive", "done")),
    ("Handled", ("Other", "Handled: done"), ("Handled", "done")),
    ("Duplicate", ("Duplicate", "done"), ("Duplicate", "done")),
    ("False Positive", ("False Positive", "done"), ("False Positive", "done")),
]


@pytest.mark.parametrize("offers", ["listed", "null"])
@pytest.mark.parametrize(("ours", "where_listed", "where_any"), OUT)
def test_a_reason_that_goes_out(
    site: Site, ours: str, where_listed: tuple[str, str], where_any: tuple[str, str], offers: str
) -> None:
    """
    Given: lines for close reasons, and a remote that offers some or takes any.
    When: an incident is closed here.
    Then: the remote is closed for theirs where only one of them is ours; ours stays here.
    """
    made = site.mirror("8", "8", close_reasons=offers)
    made.configure(close_reasons=REASONS)
    remote_id, local_id = in_step(made)
    made.here.close_incident(local_id, reason=ours, notes="done", user="hanna")
    made.until_quiet()
    made.rounds(2)

    assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
    assert closing(made, remote_id, local_id) == [where_listed if offers == "listed" else where_any, (ours, "done")]


def test_a_change_of_a_closed_incident_leaves_both_reasons(site: Site) -> None:
    """
    Given: an incident closed there, here for our reason.
    When: it is edited here, and there, and the notes of its closing here.
    Then: both reasons stay.
    """
    made = site.mirror("8", "8")
    made.configure(close_reasons=REASONS)
    remote_id, local_id = in_step(made)
    made.there.close_incident(remote_id, reason="Resolved", notes="theirs", user="carla")
    made.until_quiet()
    made.here.change_incident(local_id, {"severity": 3}, user="hanna")
    made.until_quiet()
    made.there.change_incident(remote_id, {"details": "afterwards"}, user="carla")
    made.until_quiet()

    assert closing(made, remote_id, local_id) == [("Resolved", "theirs"), ("Handled", "theirs")]
    assert (value_of(made.there, remote_id, "severity"), value_of(made.here, local_id, "details")) == (3, "afterwards")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("False Positive = Benign\nResolved", ["Close reasons", "Resolved"]),
        ("Resolved = ", ["Close reasons", "Resolved"]),
        ("Resolved = Handled\nResolved = Benign", ["Close reasons", "Resolved"]),
    ],
)
def test_lines_that_are_none(site: Site, lines: str, words: list[str]) -> None:
    """
    Given: a line without =, with an empty side, or a reason of theirs twice.
    When: testing.
    Then: a sentence names it.
    """
    fails_with(site.mirror(), *words, close_reasons=lines)


def test_lines_that_are_right(site: Site) -> None:
    """
    Given: lines with blanks and empty lines, two of theirs becoming one of ours.
    When: testing.
    Then: it says ok.
    """
    made = site.mirror()
    made.configure(close_reasons=REASONS)

    assert made.host.test(INSTANCE).ok


# The owner


def test_the_remote_owner_has_a_field_of_its_own(mirror: Mirror) -> None:
    """
    Given: a remote incident with an owner.
    When: it is fetched, gets another owner and none; and our owner changes here.
    Then: the field follows, and each tenant keeps its own owner.
    """
    remote_id = mirror.remote_incident(owner="carla")
    local_id = mirror.fetched_once()
    assert (mirror.shown(local_id, "remoteowner"), mirror.here.incident(local_id)["owner"]) == ("carla", "")
    mirror.here.change_incident(local_id, {"owner": "hanna"}, user="hanna")
    for owner in ("carl", ""):
        mirror.there.change_incident(remote_id, {"owner": owner}, user="carla")
        mirror.until_quiet()
        assert (mirror.shown(local_id, "remoteowner"), mirror.here.incident(local_id)["owner"]) == (owner, "hanna")

    mirror.here.change_incident(local_id, {"owner": "hugo"}, user="hanna")
    mirror.until_quiet()
    assert mirror.there.incident(remote_id)["owner"] == ""


def test_an_incident_created_from_here_shows_its_remote_owner(site: Site) -> None:
    """
    Given: an incident that was created there from here.
    When: it gets an owner there.
    Then: the field shows it, and ours is as it was.
    """
    made = site.mirror("8", "8")
    made.configure()
    local_id = made.created_from_here()
    made.there.change_incident(str(made.here.incident(local_id)["dbotMirrorId"]), {"owner": "carla"}, user="carla")
    made.until_quiet()

    assert (made.shown(local_id, "remoteowner"), made.here.incident(local_id)["owner"]) == ("carla", "")


def test_one_line_in_each_mapper_restores_the_owner(site: Site) -> None:
    """
    Given: mappers with one line more, owner from owner.
    When: an incident is fetched, and gets other owners there and here.
    Then: both tenants have the same owner each time.
    """
    made = site.mirror("8", "8")
    mappers = custom_mappers(INSTANCE, made.here.incident_fields())
    for mapper in mappers:
        mapper["mapping"][ALL_TYPES]["internalMapping"]["owner"] = {"simple": "owner"}
        made.host.import_mapper(mapper)
    incoming, outgoing = (mapper["id"] for mapper in mappers)
    params = working_params(made.there, made.url)
    made.host.add_instance(INSTANCE, INTEGRATION, params, incoming_mapper=incoming, outgoing_mapper=outgoing)
    remote_id, local_id = in_step(made, owner="carla")
    assert value_of(made.here, local_id, "owner") == "carla"
    made.there.change_incident(remote_id, {"owner": "carl"}, user="carla")
    made.until_quiet()
    assert value_of(made.here, local_id, "owner") == "carl"
    made.here.change_incident(local_id, {"owner": "hanna"}, user="hanna")
    made.until_quiet()

    assert (value_of(made.there, remote_id, "owner"), made.shown(local_id, "remoteowner")) == ("hanna", "hanna")


def test_a_fetched_incident_carries_the_owner_in_its_raw_event_alone(site: Site) -> None:
    """
    Given: a remote incident with an owner.
    When: it is fetched.
    Then: the owner stands in its rawJSON, and not on the incident.
    """
    made = site.mirror("8", "8")
    made.configure()
    made.remote_incident(owner="carla")
    (incident,) = succeeded(made.host.fetch(INSTANCE)).incidents

    assert not incident.get("owner")
    assert json.loads(incident["rawJSON"])["owner"] == "carla"


# A tag on what comes in


def tags_here(made: Mirror, local_id: str) -> dict[str, set[str]]:
    """Return the tags of the entries in a local War Room, by the last line or the name of the file."""
    entries = made.here.entries(local_id)
    return dict(zip(last_lines(made.here, local_id), (set(entry["tags"] or []) for entry in entries), strict=True))


@pytest.mark.parametrize(("params", "more"), [({"came_in_tag": "from-remote-soc"}, {"from-remote-soc"}), ({}, set())])
def test_what_comes_in_has_the_tag(site: Site, params: dict[str, Any], more: set[str]) -> None:
    """
    Given: a tag on what comes in, or none.
    When: a chat, a note and a file come in, and a chat is written here.
    Then: the three have it beside their own tags, ours has not; nothing goes back, and theirs have it not.
    """
    made = site.mirror("8", "8")
    made.configure(**params)
    remote_id, local_id = in_step(made)
    chat(made.there, remote_id, "chat", IN_TAG, "urgent")
    made.there.add_entry(remote_id, contents="note", user="carla", note=True, tags=[IN_TAG])
    made.there.add_entry(remote_id, user="carl", entry_type=3, tags=[IN_TAG], file=("a.bin", b"x"))
    chat(made.here, local_id, "ours", OUT_TAG)
    made.until_quiet()

    assert tags_here(made, local_id) == {
        "ours": {OUT_TAG},
        "chat": {IN_TAG, "urgent"} | more,
        "note": {IN_TAG} | more,
        "a.bin": {IN_TAG} | more,
    }
    assert last_lines(made.there, remote_id) == ["chat", "note", "a.bin", "ours"]
    assert [set(entry["tags"] or []) & more for entry in made.there.entries(remote_id)] == [set()] * 4


def test_notices_of_the_mirror_have_no_tag(site: Site) -> None:
    """
    Given: a tag on what comes in.
    When: a field is changed on both sides, so that a notice is written here.
    Then: it has not the tag.
    """
    made = site.mirror("8", "8")
    made.configure(came_in_tag="from-remote-soc", conflicts="Local wins")
    remote_id, local_id = in_step(made, details="at first")
    made.interference.before = refusing(made, "/incidents/search", 429)
    made.there.change_incident(remote_id, {"details": "theirs"}, user="carla")
    made.here.change_incident(local_id, {"details": "ours"}, user="hanna")
    made.host.mirror(INSTANCE)
    made.interference.forget()
    made.rounds()

    (notice,) = made.here.entries(local_id)
    assert "theirs" in notice["contents"]
    assert "from-remote-soc" not in (notice["tags"] or [])


def test_the_tag_may_not_be_an_outgoing_one(site: Site) -> None:
    """
    Given: a tag on what comes in that is an outgoing tag.
    When: testing.
    Then: a sentence names it and the parameters.
    """
    fails_with(site.mirror(), "both", "Tag on what comes in", "Outgoing Entry Tags", mirror_tag="out, both", came_in_tag="both")


# Reopening

BOTH, IN, OUT_ONLY, NONE = (True, True), (True, False), (False, True), (False, False)
REOPENS = [
    # reopen, whether closing comes in and goes out, whether reopening then does
    ("As closing", BOTH, BOTH),
    ("As closing", IN, IN),
    ("As closing", OUT_ONLY, OUT_ONLY),
    ("None", BOTH, NONE),
    ("Incoming", BOTH, IN),
    ("Outgoing", BOTH, OUT_ONLY),
    ("Incoming And Outgoing", NONE, BOTH),
]


@pytest.mark.parametrize("where", ["there", "here"])
@pytest.mark.parametrize(("reopen", "closing_crosses", "reopening_crosses"), REOPENS)
def test_which_reopenings_cross(
    site: Site, where: str, reopen: str, closing_crosses: tuple[bool, bool], reopening_crosses: tuple[bool, bool]
) -> None:
    """
    Given: a pair that is closed on both sides.
    When: it is reopened on one.
    Then: the other is reopened if reopening crosses that way, and stays closed otherwise; other changes cross.
    """
    made = site.mirror("8", "8")
    made.configure(close_incident=True, close_out=True)
    made.remote_incident(name="another")
    remote_id = made.remote_incident()
    made.fetch_all()
    made.until_quiet()
    local_id = made.local_id(remote_id)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
    made.configure(reopen=reopen, close_incident=closing_crosses[0], close_out=closing_crosses[1])
    if where == "there":
        made.there.reopen_incident(remote_id, user="carla")
    else:
        made.here.reopen_incident(local_id, user="hanna")
    made.until_quiet()
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    made.until_quiet()

    crosses = reopening_crosses[0 if where == "there" else 1]
    other = ACTIVE if crosses else CLOSED
    assert statuses(made, remote_id, local_id) == ((ACTIVE, other) if where == "there" else (other, ACTIVE))
    assert made.here.incident(local_id)["severity"] == 4
    assert made.shown(local_id, "errorout") == ""


def test_a_closing_after_a_reopening_that_did_not_cross(site: Site) -> None:
    """
    Given: that no reopening crosses, and a pair of which the remote alone was reopened.
    When: that is closed for another reason, and reopening crosses from then on.
    Then: both are closed, and the next reopening crosses.
    """
    made = site.mirror("8", "8")
    made.configure(reopen="None")
    remote_id, local_id = in_step(made)
    made.there.close_incident(remote_id, reason="Resolved", user="carla")
    made.until_quiet()
    made.there.reopen_incident(remote_id, user="carla")
    made.until_quiet()
    assert statuses(made, remote_id, local_id) == (ACTIVE, CLOSED)
    made.there.close_incident(remote_id, reason="Duplicate", user="carla")
    made.until_quiet()
    assert statuses(made, remote_id, local_id) == (CLOSED, CLOSED)
    made.configure(reopen="As closing")
    made.there.reopen_incident(remote_id, user="carla")
    made.until_quiet()

    assert statuses(made, remote_id, local_id) == (ACTIVE, ACTIVE)


def test_an_owner_that_the_remote_would_refuse_is_not_sent(site: Site) -> None:
    """
    Given: a remote that refuses each change of an owner.
    When: the owner changes here, with another field.
    Then: the field is there, and no error is told.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made, owner="carla")
    made.there.refuse_change("owner", "Unknown user: zoe")
    made.here.change_incident(local_id, {"owner": "zoe", "severity": 3}, user="hanna")
    made.until_quiet()

    assert (value_of(made.there, remote_id, "severity"), value_of(made.there, remote_id, "owner")) == (3, "carla")
    assert made.shown(local_id, "errorout") == ""
