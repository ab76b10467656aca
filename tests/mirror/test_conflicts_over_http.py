"""A field that was changed on both sides: the rule decides, both sides end equal, and what lost is told, once."""

import re
from typing import Any

import pytest

from local_xsoar.custom_mappers import custom_mappers
from local_xsoar.host import HostSettings
from tests.mirror.test_commands_over_http import context_of, in_war_room
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.test_fields_over_http import in_step, value_of, write
from tests.mirror.test_partial_over_http import refusing
from tests.mirror.two_tenants import IN_TAG, INSTANCE, INTEGRATION, OUT_TAG, Mirror, Site, working_params

THEIRS, OURS = "from the tide there", "from the shore at hand"
RULES = ("Remote wins", "Local wins", "Newest wins")
ALL_TYPES = "dbot_classification_incident_type_all"


def with_rule(site: Site, rule: str | None, version: str = "8", tells_times: bool = True, **params: Any) -> Mirror:
    """Make a mirror with a rule for conflicts; None: the default.

    The server here keeps an edit that was not sent yet when another value comes in. With `tells_times` it sends the time of the
    local incident's last change along, as an outgoing mapper with that line does.
    """
    made = site.mirror("8", version, None, HostSettings(unsent_changes="kept"))
    mappers = custom_mappers(INSTANCE, made.here.incident_fields())
    if tells_times:
        mappers[1]["mapping"][ALL_TYPES]["internalMapping"]["modified"] = {"simple": "modified"}
    for mapper in mappers:
        made.host.import_mapper(mapper)
    incoming, outgoing = (mapper["id"] for mapper in mappers)
    settings = {**working_params(made.there, made.url), **({"conflicts": rule} if rule else {}), **params}
    made.host.add_instance(INSTANCE, INTEGRATION, settings, incoming_mapper=incoming, outgoing_mapper=outgoing)
    return made


def push_before_pull(made: Mirror) -> None:
    """Run a round in which the remote refuses to say what changed there, so that the local changes go first."""
    made.interference.before = refusing(made, "/incidents/search", 429)
    made.host.mirror(INSTANCE)
    made.interference.forget()
    made.pass_time(minutes=11)  # A remote that was busy is spared for a while.


def change_both(made: Mirror, remote_id: str, local_id: str, field: str, newer: str) -> None:
    """Change a field on both sides, a minute apart, and let another pass."""
    sides = [(made.there, remote_id, THEIRS, "carla"), (made.here, local_id, OURS, "hanna")]
    for tenant, incident_id, value, user in sides if newer == "here" else sides[::-1]:
        made.pass_time(minutes=1)
        write(tenant, incident_id, field, value, user)
    made.pass_time(minutes=1)


def settle(made: Mirror) -> None:
    """Run rounds until nothing crosses any more, and some behind it."""
    made.rounds(3)
    made.until_quiet()
    assert made.rounds(2) == []


def notes(made: Mirror, local_id: str) -> list[str]:
    """Return the entries of the local War Room that tell of the two values."""
    lines = [str(entry["contents"]) for entry in made.here.entries(local_id)]
    return [line for line in lines if THEIRS in line and OURS in line]


def winner_told(note: str) -> str:
    """Return which side a note names as the winner."""
    said = re.search(r"\b(here|there|local|remote)\b[^.]*? wins\b", note.replace(THEIRS, "").replace(OURS, ""), re.IGNORECASE)
    assert said, note
    return {"local": OURS, "here": OURS}.get(said[1].lower(), THEIRS)


def expected(rule: str, newer: str, order: str) -> set[str]:
    """Return the values that may stand. A pull moves the time of the local incident, so what was older there is not known."""
    if rule == "Newest wins":
        return {OURS} if newer == "here" else {THEIRS} if order == "push first" else {THEIRS, OURS}
    return {THEIRS if rule == "Remote wins" else OURS}


@pytest.mark.parametrize("order", ["push first", "pull first"])
@pytest.mark.parametrize("newer", ["here", "there"])
@pytest.mark.parametrize("rule", RULES)
def test_which_value_stands(site: Site, rule: str, newer: str, order: str) -> None:
    """
    Given: a rule, and a field that was changed on both sides.
    When: the local change goes out before the pull, or behind it.
    Then: both sides hold the value that the rule says, and one note here names the field, both values and that one.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first")
    change_both(made, remote_id, local_id, "details", newer)
    if order == "push first":
        push_before_pull(made)
    settle(made)

    stands = value_of(made.here, local_id, "details")
    assert stands in expected(rule, newer, order)
    assert value_of(made.there, remote_id, "details") == stands
    (note,) = notes(made, local_id)
    assert "details" in note.lower()
    assert winner_told(note) == stands
    assert len(made.here.entries(local_id)) == 1
    assert last_lines(made.there, remote_id) == []
    assert made.shown(local_id, "errorout") == ""


@pytest.mark.parametrize("field", ["ticket", "name"])
@pytest.mark.parametrize("version", ["6", "8"])
@pytest.mark.parametrize("rule", ["Remote wins", "Local wins"])
def test_other_fields_cross_beside_one_in_conflict(site: Site, rule: str, version: str, field: str) -> None:
    """
    Given: a field changed on both sides, one more on each, an entry here, and one field changed to the same on both.
    When: rounds run.
    Then: those cross, and only the one is told.
    """
    made = with_rule(site, rule, version)
    remote_id, local_id = in_step(made, details="at first", severity=1, CustomFields={"hosts": "a", "ticket": "C-1"})
    change_both(made, remote_id, local_id, field, "here")
    write(made.there, remote_id, "details", "only there", "carla")
    write(made.here, local_id, "hosts", "only here", "hanna")
    for tenant, incident_id in ((made.there, remote_id), (made.here, local_id)):
        write(tenant, incident_id, "severity", 3, "carla")
    made.here.add_entry(local_id, contents="by the way", user="hanna", category="chat", tags=[OUT_TAG])
    push_before_pull(made)
    settle(made)

    value = THEIRS if rule == "Remote wins" else OURS
    for tenant, incident_id in ((made.there, remote_id), (made.here, local_id)):
        held = [value_of(tenant, incident_id, name) for name in (field, "details", "hosts", "severity")]
        assert held == [value, "only there", "only here", 3]
    assert len(notes(made, local_id)) == 1
    assert len(made.here.entries(local_id)) == 2
    assert last_lines(made.there, remote_id) == ["by the way"]


@pytest.mark.parametrize("rule", RULES)
def test_two_fields_in_conflict_are_both_told(site: Site, rule: str) -> None:
    """
    Given: two fields changed on both sides, one of them emptied there.
    When: rounds run.
    Then: each is told once, and both sides are equal.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first", CustomFields={"ticket": "C-1"})
    change_both(made, remote_id, local_id, "details", "here")
    write(made.there, remote_id, "ticket", "", "carla")
    write(made.here, local_id, "ticket", "H-2", "hanna")
    push_before_pull(made)
    settle(made)

    for name in ("details", "ticket"):
        assert value_of(made.there, remote_id, name) == value_of(made.here, local_id, name)
    lines = [str(entry["contents"]).lower() for entry in made.here.entries(local_id)]
    assert (sum("details" in line for line in lines), sum("ticket" in line and "h-2" in line for line in lines)) == (1, 1)


@pytest.mark.parametrize("rule", RULES)
def test_two_sides_that_take_turns_under_each_rule(site: Site, rule: str) -> None:
    """
    Given: two sides that change a field in turn, and to the same value at the end.
    When: rounds run between them.
    Then: the last wins each time, and nothing is told.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first")
    for number in range(2):
        write(made.there, remote_id, "details", f"theirs {number}", "carla")
        settle(made)
        assert value_of(made.here, local_id, "details") == f"theirs {number}"
        write(made.here, local_id, "details", f"ours {number}", "hanna")
        settle(made)
        assert value_of(made.there, remote_id, "details") == f"ours {number}"

    assert made.here.entries(local_id) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_conflict_whose_update_fails_and_comes_again_is_told_once(site: Site, rule: str) -> None:
    """
    Given: a field changed on both sides, and an entry that the remote does not take at first.
    When: the server sends all of it again.
    Then: the conflict is told once, the value stands, and the entry is there once.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first")
    change_both(made, remote_id, local_id, "details", "here")
    made.here.add_entry(local_id, contents="by the way", user="hanna", category="chat", tags=[OUT_TAG])
    made.interference.before = refusing(made, "/entry", 500, times=12)
    made.rounds(2)
    made.interference.forget()
    made.pass_time(minutes=11)
    settle(made)

    stands = THEIRS if rule == "Remote wins" else OURS
    assert (value_of(made.there, remote_id, "details"), value_of(made.here, local_id, "details")) == (stands, stands)
    assert len(notes(made, local_id)) == 1
    assert last_lines(made.there, remote_id) == ["by the way"]


@pytest.mark.parametrize("rule", RULES)
def test_a_second_conflict_in_the_same_field(site: Site, rule: str) -> None:
    """
    Given: a conflict that was settled and told.
    When: both sides change the field once more, to the values that they had then.
    Then: it is told again, and both sides are equal.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first")
    for number in range(2):
        change_both(made, remote_id, local_id, "details", "here")
        push_before_pull(made)
        settle(made)
        assert len(notes(made, local_id)) == number + 1
        assert value_of(made.there, remote_id, "details") == value_of(made.here, local_id, "details")
        write(made.there, remote_id, "details", "settled", "carla")
        settle(made)


@pytest.mark.parametrize("newer", ["here", "there"])
def test_by_default_the_local_change_stands_where_no_time_is_told(site: Site, newer: str) -> None:
    """
    Given: no rule chosen, and a server that does not say when the local change was made.
    When: a field was changed on both sides.
    Then: the local change stands, and is told.
    """
    made = with_rule(site, None, tells_times=False)
    remote_id, local_id = in_step(made, details="at first")
    change_both(made, remote_id, local_id, "details", newer)
    push_before_pull(made)
    settle(made)

    assert (value_of(made.there, remote_id, "details"), value_of(made.here, local_id, "details")) == (OURS, OURS)
    assert [winner_told(note) for note in notes(made, local_id)] == [OURS]


def test_by_default_the_newest_change_stands_where_times_are_told(site: Site) -> None:
    """
    Given: no rule chosen, and a server that says when the local change was made.
    When: a field was changed here, and later there.
    Then: the remote change stands, and is told.
    """
    made = with_rule(site, None)
    remote_id, local_id = in_step(made, details="at first")
    change_both(made, remote_id, local_id, "details", "there")
    push_before_pull(made)
    settle(made)

    assert (value_of(made.there, remote_id, "details"), value_of(made.here, local_id, "details")) == (THEIRS, THEIRS)
    assert [winner_told(note) for note in notes(made, local_id)] == [THEIRS]


@pytest.mark.parametrize("rule", RULES)
def test_diff_shows_a_field_in_conflict(site: Site, rule: str) -> None:
    """
    Given: a field that was changed on both sides.
    When: the diff runs before and after the rounds.
    Then: it shows both values, and then none.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first")
    change_both(made, remote_id, local_id, "details", "here")
    before = context_of(in_war_room(made, local_id, "xsoar-mirror-diff"))["XSOAR.Mirror.Diff"]
    settle(made)
    after = context_of(in_war_room(made, local_id, "xsoar-mirror-diff"))["XSOAR.Mirror.Diff"]

    (row,) = [row for row in before["fields"] if not row["equal"]]
    assert (row["field"], row["here"], row["there"]) == ("details", OURS, THEIRS)
    assert after["different"] == []
    assert remote_id == after["id"]


@pytest.mark.parametrize("rule", RULES)
def test_a_change_that_is_sent_again_for_an_entry_that_cannot_go(site: Site, rule: str) -> None:
    """
    Given: a field that was changed here and went, while an entry is refused for good, so that the server sends both for ever.
    When: the field is changed there, twice.
    Then: what was changed there stands there each time, and nothing is told.
    """
    made = with_rule(site, rule)
    remote_id, local_id = in_step(made, details="at first")
    write(made.here, local_id, "details", OURS, "hanna")
    chat(made.here, local_id, "refused", OUT_TAG)
    made.interference.before = refusing(made, "/entry", 400)
    made.rounds(3)
    assert value_of(made.there, remote_id, "details") == OURS
    for value in (f"{THEIRS} 1", f"{THEIRS} 2"):
        made.pass_time(hours=1)
        write(made.there, remote_id, "details", value, "carla")
        made.rounds(4)
        assert value_of(made.there, remote_id, "details") == value

    assert notes(made, local_id) == []
    made.interference.forget()
    made.pass_time(hours=1)
    settle(made)
    assert value_of(made.here, local_id, "details") == value_of(made.there, remote_id, "details")
    assert last_lines(made.there, remote_id) == ["refused"]


@pytest.mark.parametrize("fails", ["an entry", "another field"])
def test_the_newest_stands_though_something_else_failed_for_long(site: Site, fails: str) -> None:
    """
    Given: an entry or another field that the remote has refused for hours.
    When: a field is changed there, and later here.
    Then: the local change stands on both sides, as it is the newest.
    """
    made = with_rule(site, "Newest wins")
    remote_id, local_id = in_step(made, details="at first", CustomFields={"ticket": "C-1"})
    if fails == "an entry":
        chat(made.here, local_id, "refused", OUT_TAG)
        made.interference.before = refusing(made, "/entry", 400)
    else:
        made.there.refuse_change("ticket", "Bad request")
        write(made.here, local_id, "ticket", "refused", "hanna")
    made.rounds(2)
    made.pass_time(hours=3)
    change_both(made, remote_id, local_id, "details", "here")
    made.rounds(2)

    assert value_of(made.there, remote_id, "details") == OURS
    assert [winner_told(note) for note in notes(made, local_id)] == [OURS]


@pytest.mark.parametrize("rule", RULES)
def test_an_entry_does_not_make_old_news_recent(site: Site, rule: str) -> None:
    """
    Given: a field that came in hours ago, and an entry that comes in now and leaves its incident's time as it was.
    When: the field is changed here in the next minute.
    Then: the change goes, and nothing is told.
    """
    made = with_rule(site, rule, "6")
    remote_id, local_id = in_step(made, details="at first")
    write(made.there, remote_id, "details", THEIRS, "carla")
    settle(made)
    made.pass_time(hours=5)
    made.rounds(2)
    chat(made.there, remote_id, "by the way", IN_TAG)
    made.rounds(1)
    assert last_lines(made.here, local_id) == ["by the way"]
    write(made.here, local_id, "details", OURS, "hanna")
    made.rounds(1)
    settle(made)

    assert (value_of(made.there, remote_id, "details"), value_of(made.here, local_id, "details")) == (OURS, OURS)
    assert last_lines(made.here, local_id) == ["by the way"]


def test_fields_that_a_server_sends_though_nobody_changed_them_are_no_conflict(site: Site) -> None:
    """
    Given: a server that sends all custom fields when one changed, and that the remote wins.
    When: one is changed here, and another there.
    Then: both cross, and nothing is told.
    """
    made = site.mirror("8", "8", None, HostSettings(unsent_changes="kept", custom_fields_delta="whole"))
    made.configure(conflicts="Remote wins")
    remote_id, local_id = in_step(made, CustomFields={"ticket": "C-1", "hosts": "a"})
    write(made.there, remote_id, "ticket", "C-2", "carla")
    write(made.here, local_id, "hosts", "b", "hanna")
    push_before_pull(made)
    settle(made)

    for tenant, incident_id in ((made.there, remote_id), (made.here, local_id)):
        assert [value_of(tenant, incident_id, name) for name in ("ticket", "hosts")] == ["C-2", "b"]
    assert made.here.entries(local_id) == []
