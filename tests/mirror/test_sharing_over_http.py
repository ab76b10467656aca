"""What is not shared is found nowhere on the other side: not in fields, rawJSON, entries, file names, contexts or logs."""

import base64
import json
import re
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.responses import JSONResponse

from local_xsoar.host import CommandRun, HostSettings
from local_xsoar.tenant import Tenant
from tests.mirror.test_commands_over_http import context_of, in_war_room
from tests.mirror.test_exact_over_http import chat, last_lines
from tests.mirror.test_fields_over_http import in_step, value_of
from tests.mirror.test_partial_over_http import refusing
from tests.mirror.test_test_button import fails_with
from tests.mirror.two_tenants import IN_TAG, INSTANCE, OUT_TAG, Mirror, Site, succeeded

CANARY = re.compile(r"heron-[a-z]+", re.IGNORECASE)
EMAIL = "heron-mail@example.org"
SECRETS = {
    "email": [EMAIL, "heron-mail[@]example[.]org", "Heron.Mail+tag@sub.example.co.uk"],
    "ip": ["203.0.113.77", "203[.]0[.]113[.]77", "2001:db8::8a2e:370:7334"],
    "phone": ["+49 30 90182077", "+1 (212) 555-0177", "+49-171-5550177"],
    "card": ["4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", "378282246310005"],
    '"Project Heron"': ["Project Heron", "project heron", "PROJECT HERON"],
}


# What is to be found where


def unpacked(value: Any) -> Any:
    """Return a value of a context in which what is compressed is laid open."""
    if isinstance(value, dict):
        return {key: unpacked(item) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    try:
        return zlib.decompress(base64.b64decode(value)).decode()
    except (ValueError, zlib.error):
        return value


def all_of(tenant: Tenant) -> str:
    """Return all that a tenant holds: incidents, entries, names and contents of files."""
    found, total = tenant.search({"query": "", "size": 1000})
    assert total <= 1000
    incidents = [tenant.incident(str(incident["id"])) for incident in found]
    entries = [entry for incident in incidents if incident["investigationId"] for entry in tenant.entries(incident["id"])]
    files = [tenant.entry_file(entry["id"]) for entry in entries if entry["file"]]
    contents = [(name, path.read_bytes().decode("latin-1")) for name, path in files]
    return json.dumps([incidents, entries, contents], ensure_ascii=False)


def all_here(made: Mirror, runs: Iterable[CommandRun]) -> str:
    """Return all that the local tenant holds, and what its server remembers, logged and was told in some runs."""
    context, _ = made.host.integration_context(INSTANCE)
    kept = [unpacked(context), made.host.last_run(INSTANCE), made.host.last_mirror_run(INSTANCE), made.host.log(INSTANCE)]
    told = [[run.entries, run.incidents, run.log, run.error] for run in runs]
    return all_of(made.here) + json.dumps([kept, told], ensure_ascii=False)


def canaries(text: str) -> set[str]:
    """Return the canary words in a text, without what stands before each."""
    return {word.lower().removeprefix("heron-") for word in CANARY.findall(text)}


def live(made: Mirror) -> list[CommandRun]:
    """Let a fetch and three rounds go well, minutes apart; return all runs."""
    runs = [succeeded(made.host.fetch(INSTANCE))]
    for _ in range(3):
        made.pass_time(minutes=1)
        done = made.host.mirror(INSTANCE)
        assert done.errors == []
        runs += done.runs
    return runs


def created_there(made: Mirror, fields: dict[str, Any], user: str = "hanna") -> tuple[str, str]:
    """Create a local incident and, by mirroring, the remote one; return its local and its remote id."""
    mirroring = {"dbotMirrorInstance": INSTANCE, "dbotMirrorDirection": "Both", "dbotMirrorTags": [OUT_TAG]}
    created = made.here.create_incident({**fields, **mirroring}, user=user)
    assert created is not None
    made.rounds(4)  # The remote may not say at once which it has created.
    return str(created["id"]), str(made.here.incident(str(created["id"]))["dbotMirrorId"])


def hear(made: Mirror) -> list[bytes]:
    """Return where all is kept that the remote is sent from now on."""
    heard: list[bytes] = []
    made.interference.heard = heard
    return heard


def shy_incident(made: Mirror) -> str:
    """Create a remote incident that holds a canary word wherever it can; return its id."""
    texts = ("name", "type", "details", "owner", "category", "reason", "phase", "parent", "playbookId", "sourceInstance")
    fields = {name: f"heron-{name}" for name in texts}
    custom = {"ticket": "heron-ticket", "hosts": "heron-hosts", "kept": "heron-kept"}
    created = made.there.create_incident(
        {
            **fields,
            "severity": 3,
            "CustomFields": {**custom, "added": [{"column": "heron-grid"}]},
            "labels": [{"type": "Email/text", "value": "heron-label"}, {"type": "heron-labeltype", "value": "x"}],
            "rawName": "heron-rawname",
            "rawPhase": "heron-rawphase",
            "dbotMirrorId": "heron-third",
            "roles": ["heron-role"],
        },
        user="heron-creator",
    )
    assert created is not None
    return str(created["id"])


def life_of(made: Mirror, remote_id: str) -> list[CommandRun]:
    """Let a remote incident be fetched, change in all its fields, be resynced and be closed; return all runs."""
    runs = live(made)
    changed = {name: f"heron-{name}" for name in ("details", "owner", "phase", "reason")}
    custom = {name: f"heron-{name}" for name in ("hosts", "kept", "depth")}
    made.there.change_incident(remote_id, {**changed, "severity": 4, "CustomFields": custom}, user="heron-changer")
    chat(made.there, remote_id, "heron-untagged")
    chat(made.there, remote_id, "in", IN_TAG)
    runs += live(made)
    runs.append(succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id})))
    made.there.close_incident(remote_id, reason="heron-closereason", notes="heron-closenotes", user="heron-closer")
    return runs + live(made)


# Fields that come in


@pytest.mark.parametrize("version", ["6", "8"])
def test_only_the_fields_that_come_in(site: Site, version: str) -> None:
    """
    Given: two fields that come in, and canary words everywhere.
    When: the incident is fetched, changes, is resynced and closed.
    Then: only the two are here, and it is closed.
    """
    made = site.mirror("8", version, source_brand="as_sent")
    made.configure(in_fields="severity, Ticket", debug_mode=True, fetch_incident_history=True)
    remote_id = shy_incident(made)
    runs = life_of(made, remote_id)
    local = made.here.incident(made.local_id(remote_id))

    assert canaries(all_here(made, runs)) == {"ticket"}
    assert (local["severity"], local["status"], local["CustomFields"]["ticket"]) == (4, 2, "heron-ticket")
    assert last_lines(made.here, local["id"]) == ["in"]


@pytest.mark.parametrize("version", ["6", "8"])
def test_all_but_some_fields_come_in(site: Site, version: str) -> None:
    """
    Given: fields that do not come in, written in another case.
    When: the incident is fetched, changes, is resynced and closed.
    Then: they are nowhere here, nor in labels or rawJSON, and the others are.
    """
    made = site.mirror("8", version)
    made.configure(in_fields="-Details, -HOSTS,-owner,-closenotes", debug_mode=True)
    remote_id = shy_incident(made)
    runs = life_of(made, remote_id)
    local = made.here.incident(made.local_id(remote_id))
    found = canaries(all_here(made, runs))

    assert found & {"details", "hosts", "owner", "closenotes", "label", "labeltype"} == set()
    assert {"name", "ticket", "kept", "closereason"} <= found
    assert (local["name"], local["closeReason"], local["CustomFields"]["kept"]) == (
        "heron-name",
        "heron-closereason",
        "heron-kept",
    )
    assert made.shown(local["id"], "remoteowner") == ""


def test_with_no_list_all_of_it_comes_in(site: Site) -> None:
    """
    Given: no list.
    When: the incident lives.
    Then: its canary words are here, which shows that they would be found; the untagged entry is not.
    """
    made = site.mirror("8", "8")
    made.configure()
    found = canaries(all_here(made, life_of(made, shy_incident(made))))

    assert {"name", "details", "owner", "ticket", "hosts", "grid", "label", "closenotes"} <= found
    assert "untagged" not in found


def test_raw_json_and_labels_come_in_when_they_are_named(site: Site) -> None:
    """
    Given: labels among the fields that come in.
    When: the incident is fetched.
    Then: the labels stand in its raw event, and the details do not.
    """
    made = site.mirror("8", "8")
    made.configure(in_fields="severity, labels")
    shy_incident(made)
    runs = [succeeded(made.host.fetch(INSTANCE))]
    (incident,) = runs[0].incidents

    # A server puts the instance among the labels.
    assert canaries(incident["rawJSON"]) == {"label", "labeltype", "sourceinstance"}


@pytest.mark.parametrize("in_fields", ["severity", "-details, -ticket"])
def test_a_list_that_is_set_later(site: Site, in_fields: str) -> None:
    """
    Given: a mirror that brought all fields.
    When: a list is set, and fields that it keeps back change and are emptied there.
    Then: nothing of that comes in, and what is here stays.
    """
    made = site.mirror("8", "8")
    made.configure(debug_mode=True)
    remote_id, local_id = in_step(made, severity=1, details="seen", CustomFields={"ticket": "C-1"})
    made.configure(in_fields=in_fields, debug_mode=True)
    runs = live(made)
    made.there.change_incident(remote_id, {"details": "heron-details", "CustomFields": {"ticket": "heron-ticket"}}, user="carla")
    runs += live(made)
    made.there.change_incident(remote_id, {"severity": 4, "details": "", "CustomFields": {"ticket": ""}}, user="carla")
    runs += live(made)
    runs.append(succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id})))
    runs += live(made)

    assert canaries(all_here(made, runs)) == set()
    assert [value_of(made.here, local_id, name) for name in ("severity", "details", "ticket")] == [4, "seen", "C-1"]


def test_what_only_comes_in_is_not_written_back(site: Site) -> None:
    """
    Given: a field that does not come in and goes out.
    When: it is changed here, and there before.
    Then: ours is there, and what stood there is told to nobody here.
    """
    made = site.mirror("8", "8", None, HostSettings(unsent_changes="kept"))
    made.configure(in_fields="-details", debug_mode=True)
    remote_id, local_id = in_step(made, details="heron-first")
    made.there.change_incident(remote_id, {"details": "heron-details"}, user="carla")
    made.here.change_incident(local_id, {"details": "from here"}, user="hanna")
    runs = live(made)

    assert value_of(made.there, remote_id, "details") == "from here"
    assert canaries(all_here(made, runs)) == set()


# What commands show


SHOWING: dict[str, dict[str, Any]] = {
    "xsoar-search-incidents": {"start_time": "30 days", "columns": "all"},
    "xsoar-get-incident": {"id": "1", "from_date": "30 days", "categories": "notes,chats,attachments"},
    "xsoar-mirror-status": {"id": "1"},
    "xsoar-mirror-diff": {},
    "get-remote-data": {"id": "1"},
}


@pytest.mark.parametrize("command", SHOWING)
def test_what_commands_show(site: Site, command: str) -> None:
    """
    Given: a list, a word to be redacted, and canary words in a remote incident and its War Room.
    When: a command that reads the remote runs in the local War Room.
    Then: it shows only what is shared.
    """
    made = site.mirror("8", "8")
    made.configure(in_fields="severity, ticket, kept", redact='email, "heron-word"', file_types="-exe", debug_mode=True)
    remote_id = shy_incident(made)
    local_id = made.fetched_once()
    made.there.change_incident(remote_id, {"CustomFields": {"kept": f"by {EMAIL}"}}, user="carla")
    made.there.add_entry(remote_id, contents="a Heron-Word here", user=EMAIL, category="chat", tags=[IN_TAG])
    file = ("heron-file.exe", b"heron-content")
    made.there.add_entry(remote_id, contents="heron-comment", user="carl", entry_type=3, tags=[IN_TAG], file=file)
    run = succeeded(in_war_room(made, local_id, command, **SHOWING[command]))

    assert canaries(json.dumps([run.entries, run.log])) <= {"ticket", "kept"}


def test_diff_says_what_is_not_shared(site: Site) -> None:
    """
    Given: fields that are kept back in one direction, in both and in none, all different.
    When: the diff runs.
    Then: the reason says not shared and which way; the field that crosses differs.
    """
    made = site.mirror("8", "8")
    remote_id = made.remote_incident(severity=1, details="theirs", CustomFields={"ticket": "C-1", "hosts": "a"})
    made.configure(in_fields="-details, -ticket", out_fields="-ticket, -hosts")
    local_id = made.fetched_once()
    made.here.change_incident(
        local_id,
        {"severity": 4, "details": "ours", "CustomFields": {"ticket": "H-1", "hosts": "b"}},
        user="hanna",
        dirty=False,
    )
    diff = context_of(in_war_room(made, local_id, "xsoar-mirror-diff"))["XSOAR.Mirror.Diff"]
    reasons = {row["field"]: row["reason"] for row in diff["ignored"]}

    assert diff["different"] == ["severity"]
    for name, ways in {"details": ["come in"], "ticket": ["come in", "go out"], "hosts": ["go out"]}.items():
        assert reasons[name].startswith("not shared")
        assert [way for way in ("come in", "go out") if way in reasons[name]] == ways
    assert value_of(made.there, remote_id, "hosts") == "a"


# Fields that go out


OUT = {"severity, ticket": {"ticket"}, "-details, -HOSTS, -closenotes": {"name", "ticket", "kept", "closereason"}}


@pytest.mark.parametrize("out_fields", OUT)
@pytest.mark.parametrize("delta", ["changed", "whole"])
@pytest.mark.parametrize("begins", ["fetched", "created"])
def test_the_fields_that_go_out(site: Site, begins: str, delta: str, out_fields: str) -> None:
    """
    Given: a list of what goes out.
    When: an incident that was fetched or is created from here changes in all its fields, and is closed.
    Then: only what is shared was ever sent; nothing fails, and the remote is closed.
    """
    made = site.mirror("8", "8", None, HostSettings(custom_fields_delta=delta), close_reasons="null")
    made.configure(out_fields=out_fields)
    heard = hear(made)
    texts = {name: f"heron-{name}" for name in ("name", "details", "phase", "owner")}
    custom = {name: f"heron-{name}" for name in ("ticket", "hosts", "kept")}
    fields = {**texts, "severity": 3, "CustomFields": custom, "labels": [{"type": "Email", "value": "heron-label"}]}
    if begins == "fetched":
        remote_id, local_id = in_step(made)
        made.here.change_incident(local_id, fields, user="hanna")
    else:
        local_id, remote_id = created_there(made, fields)
    live(made)
    made.here.change_incident(local_id, {"severity": 4, "details": "heron-details"}, user="hanna")
    live(made)
    made.here.close_incident(local_id, reason="heron-closereason", notes="heron-closenotes", user="heron-closer")
    live(made)

    remote = made.there.incident(remote_id)
    sent = b"".join(heard).decode("latin-1")
    # The owner is in no mapper, and labels never go.
    assert canaries(sent + all_of(made.there)) - {"phase"} == OUT[out_fields]
    assert (remote["severity"], remote["status"], remote["CustomFields"]["ticket"]) == (4, 2, "heron-ticket")
    assert made.shown(local_id, "errorout") == ""


def test_a_list_of_what_goes_out_that_is_set_later(site: Site) -> None:
    """
    Given: a mirror that sent all fields.
    When: a list is set, and a field that it keeps back changes here.
    Then: it does not go, the other does, and what stands there stays.
    """
    made = site.mirror("8", "8")
    made.configure()
    remote_id, local_id = in_step(made, details="seen", CustomFields={"ticket": "C-1"})
    made.configure(out_fields="-details, -ticket")
    made.here.change_incident(local_id, {"severity": 4, "details": "heron-x", "CustomFields": {"ticket": ""}}, user="hanna")
    live(made)

    assert [value_of(made.there, remote_id, name) for name in ("severity", "details", "ticket")] == [4, "seen", "C-1"]
    assert value_of(made.here, local_id, "details") == "heron-x"


# Files


KEPT_BACK: dict[str, tuple[dict[str, Any], str, int]] = {
    "type": ({"file_types": "-exe, -js"}, "heron-invoice.pdf.EXE", 10),
    "not listed": ({"file_types": "pdf, txt"}, "heron-macro.docm", 10),
    "no type": ({"file_types": "pdf, txt"}, "heron-noext", 10),
    "size": ({"max_file_mb": "1"}, "heron-dump.txt", 1_100_000),
}
SHARED = ("good.PDF", b"x" * 900_000)


def kept_back(size: int) -> bytes:
    """Return the content of a file that is not shared."""
    return b"heron-content".ljust(size, b".")


def told_of_files(tenant: Tenant, incident_id: str) -> list[str]:
    """Return the texts of a War Room that say that a file is not shared."""
    return [str(entry["contents"]) for entry in tenant.entries(incident_id) if "not shared" in str(entry["contents"])]


@pytest.mark.parametrize("case", KEPT_BACK)
@pytest.mark.parametrize("comes", ["as an entry", "as an attachment"])
def test_a_file_that_does_not_come_in(site: Site, case: str, comes: str) -> None:
    """
    Given: a policy for files.
    When: one that is not shared and one that is are added there, by an entry or as attachments of a new incident.
    Then: the one is here; for the other stands one note that names neither file nor contents; it was not even downloaded.
    """
    params, name, size = KEPT_BACK[case]
    made = site.mirror("8", "8")
    made.configure(**params, debug_mode=True)
    files = [(name, kept_back(size)), SHARED]
    if comes == "as an attachment":
        created = made.there.create_incident({"name": "with files", "type": "Phishing"}, user="carla", attachments=files)
        assert created is not None
        remote_id = str(created["id"])
        runs = live(made)
    else:
        remote_id = made.remote_incident()
        runs = live(made)
        for file in files:
            comment = "heron-comment" if file[0] == name else "fine"
            made.there.add_entry(remote_id, contents=comment, user="carl", entry_type=3, tags=[IN_TAG], file=file)
    runs += live(made)
    runs.append(succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id})))
    runs += live(made)
    local_id = made.local_id(remote_id)

    assert canaries(all_here(made, runs)) == set()
    assert [entry["file"] for entry in made.here.entries(local_id) if entry["file"]] == ["good.PDF"]
    assert len(told_of_files(made.here, local_id)) == 1
    assert sum("/entry/download" in path for path in made.interference.paths) == 1
    assert (made.shown(local_id, "state"), told_of_files(made.there, remote_id)) == ("In Step", [])


@pytest.mark.parametrize("direction", ["None", "Outgoing"])
def test_an_attachment_that_is_not_shared_where_nothing_else_comes_in(site: Site, direction: str) -> None:
    """
    Given: an instance in whose direction nothing comes in but new incidents, and a policy for files.
    When: an incident with a file that is not shared is fetched.
    Then: a note stands for that file beside the other, and names neither it nor its contents.
    """
    made = site.mirror("8", "8")
    made.configure(file_types="-exe", mirror_direction=direction, debug_mode=True)
    files = [("heron-plan.exe", kept_back(10)), SHARED]
    assert made.there.create_incident({"name": "with files"}, user="carla", attachments=files)
    runs = live(made)
    (local_id,) = [str(incident["id"]) for incident in made.here.search({"query": "", "size": 9})[0]]

    assert canaries(all_here(made, runs)) == set()
    assert sorted(entry["file"] for entry in made.here.entries(local_id)) == ["A file that is not shared.txt", "good.PDF"]


def test_an_attachment_that_no_entry_holds_is_not_named(site: Site) -> None:
    """
    Given: attachments, one of a type that is not shared and one whose name is redacted, which no entry of the War Room holds.
    When: the incident is fetched, and they are tried until a note stands for each.
    Then: neither name is here, nor in what is remembered or logged.
    """
    made = site.mirror("8", "8")
    made.configure(file_types="-exe", redact="email", debug_mode=True)
    files = [("heron-plan.exe", b"x"), (f"from {EMAIL}.txt", b"y")]
    created = made.there.create_incident({"name": "with files"}, user="carla", attachments=files)
    assert created is not None

    def without_entries(request: Any, number: int) -> None:
        if request.url.path.endswith(f"/investigation/{created['id']}"):
            made.interference.answers[number] = lambda: JSONResponse({"entries": []})

    made.interference.before = without_entries
    runs = [succeeded(made.host.fetch(INSTANCE))]
    for _ in range(8):
        made.pass_time(hours=5)
        runs += made.host.mirror(INSTANCE).runs
    local_id = made.local_id(str(created["id"]))

    assert canaries(all_here(made, runs)) == set()
    assert len(made.here.entries(local_id)) == 2
    assert len(told_of_files(made.here, local_id)) == 1
    assert made.shown(local_id, "state") == "In Step"


@pytest.mark.parametrize("case", KEPT_BACK)
def test_a_file_that_does_not_go_out(site: Site, case: str) -> None:
    """
    Given: a policy for files.
    When: one that is not shared and one that is are tagged here, and a chat.
    Then: the one and the chat are there; for the other stands one note there that names neither file nor contents.
    """
    params, name, size = KEPT_BACK[case]
    made = site.mirror("8", "8")
    made.configure(**params)
    heard = hear(made)
    remote_id, local_id = in_step(made)
    for file in ((name, kept_back(size)), SHARED):
        comment = "heron-comment" if file[0] == name else "fine"
        made.here.add_entry(local_id, contents=comment, user="hugo", entry_type=3, tags=[OUT_TAG], file=file)
    chat(made.here, local_id, "behind it", OUT_TAG)
    live(made)

    assert canaries(b"".join(heard).decode("latin-1") + all_of(made.there)) == set()
    assert [entry["file"] for entry in made.there.entries(remote_id) if entry["file"]] == ["good.PDF"]
    assert len(told_of_files(made.there, remote_id)) == 1
    assert last_lines(made.there, remote_id)[-1] == "behind it"
    assert (made.shown(local_id, "errorout"), len(made.here.entries(local_id))) == ("", 3)


# Redacting


KINDS = [(kind, secret) for kind, secrets in SECRETS.items() for secret in secrets]


def redacting(site: Site, version: str = "8", delta: str = "changed", **params: Any) -> Mirror:
    """Make a mirror that redacts everything, on a server that sends the custom fields that changed, or all of them."""
    made = site.mirror("8", version, None, HostSettings(custom_fields_delta=delta))
    made.configure(redact=", ".join(SECRETS), debug_mode=True, **params)
    return made


def leaks(text: str) -> list[str]:
    """Return the secrets in a text."""
    return [secret for secrets in SECRETS.values() for secret in secrets if secret.lower() in text.lower()]


def test_what_is_redacted_on_its_way_in(site: Site) -> None:
    """
    Given: each kind of secret in each place of an incident and its War Room, names of people and files among them.
    When: it is fetched, changes, gets entries, and is closed.
    Then: none is here, and the words around them are.
    """
    made = redacting(site, fetch_incident_history=True)
    text = "before " + " and ".join(secret for _, secret in KINDS) + " behind"
    fields = {"name": text, "details": text, "owner": EMAIL, "labels": [{"type": "Email/from", "value": EMAIL}]}
    custom = {"ticket": text, "hosts": [text, "plain"], "kept": [{"column": text}]}
    created = made.there.create_incident(
        {**fields, "CustomFields": custom}, user=EMAIL, attachments=[(f"from {EMAIL}.eml", b"content")]
    )
    assert created is not None
    remote_id = str(created["id"])
    runs = live(made)
    made.there.change_incident(remote_id, {"details": f"again {text}", "CustomFields": {"added": text}}, user=EMAIL)
    made.there.add_entry(remote_id, contents=text, user=EMAIL, note=True, tags=[IN_TAG])
    made.there.add_entry(remote_id, contents={"sender": text}, user="carl", format="json", tags=[IN_TAG])
    file = (f"scan {EMAIL}.txt", b"content")
    made.there.add_entry(remote_id, contents=text, user=EMAIL, entry_type=3, tags=[IN_TAG], file=file)
    runs += live(made)
    made.there.close_incident(remote_id, reason="Other", notes=text, user=EMAIL)
    runs += live(made)
    local = made.here.incident(made.local_id(remote_id))

    assert leaks(all_here(made, runs)) == []
    for value in (local["name"], local["details"], local["closeNotes"], local["CustomFields"]["added"]):
        assert "before " in value
        assert value.endswith(" behind")
    assert local["CustomFields"]["hosts"][1] == "plain"
    names = [entry["file"] for entry in made.here.entries(local["id"]) if entry["file"]]
    assert [(name[:5], name[-4:]) for name in names] == [("from ", ".eml"), ("scan ", ".txt")]
    assert local["status"] == 2


@pytest.mark.parametrize("begins", ["fetched", "created"])
def test_what_is_redacted_from_later_on(site: Site, begins: str) -> None:
    """
    Given: texts that crossed before they were to be redacted.
    When: another field changes there, and then one of those texts.
    Then: the texts here stay as they are until their own change comes in, redacted.
    """
    made = site.mirror("8", "8")
    made.configure()
    fields: dict[str, Any] = {"severity": 1, "details": f"by {EMAIL}", "CustomFields": {"ticket": f"for {EMAIL}"}}
    remote_id, local_id = in_step(made, **fields) if begins == "fetched" else created_there(made, {"name": "x", **fields})[::-1]
    made.configure(redact="email")
    made.there.change_incident(remote_id, {"severity": 3}, user="carla")
    live(made)
    held = [value_of(made.here, local_id, name) for name in ("severity", "details", "ticket")]
    assert held == [3, f"by {EMAIL}", f"for {EMAIL}"]
    made.there.change_incident(remote_id, {"details": f"again by {EMAIL}"}, user="carla")
    live(made)

    held = [value_of(made.here, local_id, name) for name in ("details", "ticket")]
    assert held == ["again by [e-mail address]", f"for {EMAIL}"]
    assert value_of(made.there, remote_id, "ticket") == f"for {EMAIL}"


def test_a_change_of_what_is_redacted_from_later_on_is_no_conflict(site: Site) -> None:
    """
    Given: a text that came in before it was to be redacted, and that the remote wins.
    When: it is changed here.
    Then: the change goes, and nothing is told.
    """
    made = site.mirror("8", "8", None, HostSettings(unsent_changes="kept"))
    made.configure()
    remote_id, local_id = in_step(made, details=f"by {EMAIL}")
    made.configure(redact="email", conflicts="Remote wins")
    made.here.change_incident(local_id, {"details": "from here"}, user="hanna")
    live(made)

    assert [value_of(tenant, item, "details") for tenant, item in ((made.there, remote_id), (made.here, local_id))] == [
        "from here",
        "from here",
    ]
    assert made.here.entries(local_id) == []


def test_originals_here_outlast_a_time_in_which_the_remote_incident_is_unreadable(site: Site) -> None:
    """
    Given: an incident that was created from here, its texts redacted there.
    When: it cannot be read for hours, and changes there meanwhile.
    Then: the change comes in, and the texts here are as they were.
    """
    made = site.mirror("8", "8")
    made.configure(redact="email")
    fields = {"details": f"by {EMAIL}", "CustomFields": {"ticket": f"for {EMAIL}"}}
    local_id, remote_id = created_there(made, {"name": "from here", **fields})
    made.interference.before = refusing(made, "/incident/load", 403)
    made.there.change_incident(remote_id, {"severity": 3}, user="carla")
    made.rounds(3)
    assert made.shown(local_id, "errorin")
    made.interference.forget()
    made.pass_time(hours=5)
    live(made)

    held = [value_of(made.here, local_id, name) for name in ("severity", "details", "ticket")]
    assert held == [3, f"by {EMAIL}", f"for {EMAIL}"]
    assert made.shown(local_id, "errorin") == ""


@pytest.mark.parametrize("status", [200, 400, 403])
def test_an_error_of_the_remote_that_repeats_values(site: Site, status: int) -> None:
    """
    Given: a word that is redacted, and a field that does not come in.
    When: the remote refuses a change, with words that repeat both.
    Then: they are neither in the incident here, nor in what is remembered or logged.
    """
    made = site.mirror("8", "8")
    made.configure(redact="email", in_fields="-owner", debug_mode=True)
    remote_id, local_id = in_step(made, severity=1, details=f"by {EMAIL}", owner="heron-owner")
    answer = {"error": f"the value by {EMAIL} of details is not valid for heron-owner"}

    def refuse(request: Any, number: int) -> None:
        if request.method == "POST" and request.url.path.endswith("/incident"):
            made.interference.answers[number] = lambda: JSONResponse(answer, status_code=status)

    made.interference.before = refuse
    made.here.change_incident(local_id, {"severity": 3}, user="hanna")
    runs = []
    for _ in range(3):
        made.pass_time(minutes=1)
        runs += made.host.mirror(INSTANCE).runs

    assert made.shown(local_id, "errorout")
    assert canaries(all_here(made, runs)) == set()
    assert value_of(made.there, remote_id, "severity") == 1


def test_what_is_redacted_on_its_way_out(site: Site) -> None:
    """
    Given: each kind of secret in a local incident and its War Room.
    When: it goes out, is created there, gets entries, and is closed.
    Then: none was ever sent, the words around them are there, and the local incident keeps what it held.
    """
    made = redacting(site)
    heard = hear(made)
    text = "before " + " and ".join(secret for _, secret in KINDS) + " behind"
    fields = {"name": text, "details": text, "CustomFields": {"ticket": text}}
    local_id, remote_id = created_there(made, fields, EMAIL)
    made.here.change_incident(local_id, {"details": f"again {text}", "CustomFields": {"hosts": [text, "plain"]}}, user="hanna")
    made.here.add_entry(local_id, contents=text, user=EMAIL, note=True, tags=[OUT_TAG])
    file = (f"scan {EMAIL}.txt", b"content")
    made.here.add_entry(local_id, contents=text, user=EMAIL, entry_type=3, tags=[OUT_TAG], file=file)
    live(made)
    made.there.change_incident(remote_id, {"severity": 4}, user="carla")
    live(made)
    made.here.close_incident(local_id, reason="Other", notes=text, user=EMAIL)
    live(made)
    local, remote = made.here.incident(local_id), made.there.incident(remote_id)

    assert leaks(b"".join(heard).decode() + all_of(made.there)) == []
    for value in (remote["name"], remote["details"], remote["closeNotes"], remote["CustomFields"]["ticket"]):
        assert "before " in value
        assert value.endswith(" behind")
    assert (remote["status"], remote["CustomFields"]["hosts"][1], len(made.there.entries(remote_id))) == (2, "plain", 2)
    assert (local["name"], local["details"], local["severity"]) == (text, f"again {text}", 4)
    assert (local["CustomFields"]["ticket"], local["CustomFields"]["hosts"][0]) == (text, text)
    assert len(made.here.entries(local_id)) == 2


HARMLESS = [
    ("email", "see user@ and @home, a@b"),
    ("ip", "version 8.8 of 12:30:45, build 1.2.3 and 999.1.1.1"),
    ("card", "order 4111111111111112 of 1234567890123456"),
    ("phone", "case 2026-11-27 at 10:15:00, id 482"),
    ('"Falcon"', "falc on and alcon"),
]


@pytest.mark.parametrize(("kind", "text"), HARMLESS)
def test_what_only_looks_like_a_secret_crosses(site: Site, kind: str, text: str) -> None:
    """
    Given: a text that holds nothing of the kind to be redacted.
    When: it comes in.
    Then: it is here as it is.
    """
    made = site.mirror("8", "8")
    made.configure(redact=kind)
    _remote_id, local_id = in_step(made, details=text)

    assert value_of(made.here, local_id, "details") == text


def test_only_the_kinds_that_are_named_are_redacted(site: Site) -> None:
    """
    Given: one kind to be redacted.
    When: a text holds all.
    Then: the others cross.
    """
    made = site.mirror("8", "8")
    made.configure(redact="card")
    text = ", ".join(secret for _, secret in KINDS)
    _remote_id, local_id = in_step(made, details=text)

    assert leaks(str(value_of(made.here, local_id, "details"))) == leaks(", ".join(s for k, s in KINDS if k != "card"))


@pytest.mark.parametrize(("version", "delta"), [("6", "changed"), ("8", "whole")])
def test_a_redacted_value_is_never_written_over_the_original(site: Site, version: str, delta: str) -> None:
    """
    Given: redacted fields, on a server that sends the changed custom fields or all of them.
    When: other fields change here, on and on, and the incident is closed and reopened here.
    Then: the originals stand there; a field that people here write anew goes.
    """
    made = redacting(site, version, delta)
    custom = {"ticket": f"ask {EMAIL}", "kept": ["203.0.113.77", "plain"]}
    remote_id, local_id = in_step(made, name=f"for {EMAIL}", details=f"from {EMAIL}", CustomFields=custom)
    made.remote_incident(name="another")
    live(made)
    for number in range(2):
        made.here.change_incident(local_id, {"severity": number + 1, "CustomFields": {"hosts": f"host {number}"}}, user="hanna")
        live(made)
        made.there.change_incident(remote_id, {"phase": f"phase {number}"}, user="carla")
        live(made)
    made.here.close_incident(local_id, reason="Other", user="hanna")
    live(made)
    made.here.reopen_incident(local_id, user="hanna")
    live(made)
    remote = made.there.incident(remote_id)

    assert (remote["name"], remote["details"]) == (f"for {EMAIL}", f"from {EMAIL}")
    assert {name: remote["CustomFields"][name] for name in custom} == custom
    assert (remote["severity"], remote["CustomFields"]["hosts"], remote["status"]) == (2, "host 1", 1)
    assert EMAIL not in all_of(made.here)

    made.here.change_incident(local_id, {"CustomFields": {"ticket": "written anew"}}, user="hanna")
    live(made)
    assert value_of(made.there, remote_id, "ticket") == "written anew"
    assert value_of(made.there, remote_id, "kept") == custom["kept"]


@pytest.mark.parametrize("delta", ["changed", "whole"])
def test_redacting_that_is_switched_on_later(site: Site, delta: str) -> None:
    """
    Given: fields and entries that crossed both ways as they are.
    When: redacting is switched on, other fields change on both sides, and a copy is tagged here.
    Then: the originals stand there, nothing comes or goes twice, and what is new is redacted.
    """
    made = site.mirror("8", "8", None, HostSettings(custom_fields_delta=delta))
    made.configure()
    custom = {"ticket": f"ask {EMAIL}"}
    remote_id, local_id = in_step(made, details=f"from {EMAIL}", CustomFields=custom)
    made.there.add_entry(remote_id, contents=f"in {EMAIL}", user=EMAIL, category="chat", tags=[IN_TAG])
    made.here.add_entry(local_id, contents=f"out {EMAIL}", user=EMAIL, category="chat", tags=[OUT_TAG])
    live(made)
    made.configure(redact="email")
    live(made)
    (copy,) = [entry for entry in made.here.entries(local_id) if IN_TAG in (entry["tags"] or [])]
    made.here.change_entry(copy["id"], tags=[OUT_TAG])
    made.here.change_incident(local_id, {"severity": 4, "CustomFields": {"hosts": "a"}}, user="hanna")
    live(made)
    made.there.change_incident(remote_id, {"CustomFields": {"depth": f"new {EMAIL}"}}, user="carla")
    live(made)
    succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id, "fields": "false"}))
    live(made)

    assert value_of(made.there, remote_id, "details") == f"from {EMAIL}"
    assert value_of(made.there, remote_id, "ticket") == custom["ticket"]
    assert [value_of(made.there, remote_id, name) for name in ("severity", "hosts")] == [4, "a"]
    assert EMAIL not in str(value_of(made.here, local_id, "depth"))
    assert (len(made.here.entries(local_id)), len(made.there.entries(remote_id))) == (2, 2)


def test_redacted_sides_come_to_rest(site: Site) -> None:
    """
    Given: a redacted field on each side.
    When: rounds run.
    Then: nothing is listed or sent any more, and the diff knows of no difference.
    """
    made = redacting(site)
    remote_id, local_id = in_step(made, details=f"from {EMAIL}", CustomFields={"ticket": "C-1"})
    made.here.change_incident(local_id, {"CustomFields": {"ticket": f"ask {EMAIL}"}}, user="hanna")
    made.until_quiet()
    done = [made.round() for _ in range(3)]
    diff = context_of(in_war_room(made, local_id, "xsoar-mirror-diff"))["XSOAR.Mirror.Diff"]

    assert [(each.modified, each.sent) for each in done] == [([], [])] * 3
    assert "details" not in diff["different"]
    assert EMAIL not in str(value_of(made.there, remote_id, "ticket"))


# Test


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"in_fields": "severity, sevrity"}, ["Fields that come in", "sevrity"]),
        ({"out_fields": "-nosuch"}, ["Fields that go out", "nosuch"]),
        ({"in_fields": "severity, -details"}, ["Fields that come in"]),
        ({"redact": "email, mails"}, ["Redact", "mails"]),
        ({"redact": 'email, "open'}, ["Redact"]),
        ({"max_file_mb": "0"}, ["Largest file", "from 1 to 1024"]),
        ({"max_file_mb": "big"}, ["Largest file", "not a whole number"]),
        ({"file_types": "pdf, -exe"}, ["File types"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_parameter_of_sharing(site: Site, params: dict[str, Any], words: list[str]) -> None:
    """
    Given: one wrong parameter.
    When: testing.
    Then: a sentence names it.
    """
    fails_with(site.mirror(), *words, **params)


def test_right_parameters_of_sharing(remote: Mirror) -> None:
    """
    Given: lists that name fields of every incident and custom ones, in any case.
    When: testing.
    Then: it says ok.
    """
    remote.configure(
        in_fields="Severity, details, ticket, labels, rawJSON, closeNotes",
        out_fields="-owner, -HOSTS",
        redact='email, ip, phone, card, "a, b"',
        max_file_mb="1024",
        file_types="pdf, TXT",
    )
    run = remote.host.test(INSTANCE)

    assert run.ok, run.error


def test_a_push_between_a_resync_and_its_pull(site: Site) -> None:
    """
    Given: a redacted custom field that changes there, a resync, and a server that sends all custom fields when one changed.
    When: the change made here goes out before the resync's pull.
    Then: the original there stands, and both changes have crossed.
    """
    made = site.mirror("8", "8", None, HostSettings(custom_fields_delta="whole"))
    made.configure(redact="email")
    remote_id, local_id = in_step(made, CustomFields={"ticket": f"first by {EMAIL}", "hosts": "a"})
    made.there.change_incident(remote_id, {"CustomFields": {"ticket": f"then by {EMAIL}"}}, user="carla")
    succeeded(made.host.run(INSTANCE, "xsoar-mirror-resync", {"id": remote_id}))
    made.here.change_incident(local_id, {"CustomFields": {"hosts": "b"}}, user="hanna")
    made.interference.before = refusing(made, "/incidents/search", 429)
    made.host.mirror(INSTANCE)
    made.interference.forget()
    made.pass_time(minutes=11)
    live(made)

    assert (value_of(made.there, remote_id, "ticket"), value_of(made.there, remote_id, "hosts")) == (f"then by {EMAIL}", "b")
    assert value_of(made.here, local_id, "ticket") == "then by [e-mail address]"


@pytest.mark.parametrize("delta", ["changed", "whole"])
def test_an_edit_of_a_redacted_text_does_not_replace_the_original(site: Site, delta: str) -> None:
    """
    Given: a text that is redacted here, on a server that sends the custom fields that changed, or all of them.
    When: somebody edits what they see of it, and later writes it anew without the redacted part.
    Then: the original stands there until then, one note says so, and the text here is as it is there.
    """
    made = site.mirror("8", "8", None, HostSettings(custom_fields_delta=delta))
    made.configure(redact="email")
    remote_id, local_id = in_step(made, CustomFields={"ticket": f"ask {EMAIL}", "hosts": "a"})
    made.here.change_incident(local_id, {"CustomFields": {"ticket": "ask [e-mail address] again"}}, user="hanna")
    live(made)
    made.here.change_incident(local_id, {"CustomFields": {"hosts": "b"}}, user="hanna")
    live(made)

    assert (value_of(made.there, remote_id, "ticket"), value_of(made.there, remote_id, "hosts")) == (f"ask {EMAIL}", "b")
    assert value_of(made.here, local_id, "ticket") == "ask [e-mail address]"
    notes = [entry["contents"] for entry in made.here.entries(local_id) if "redacted here" in str(entry["contents"])]
    assert len(notes) == 1
    assert "ask [e-mail address] again" in notes[0]

    made.here.change_incident(local_id, {"CustomFields": {"ticket": "nobody to ask"}}, user="hanna")
    live(made)
    assert value_of(made.there, remote_id, "ticket") == value_of(made.here, local_id, "ticket") == "nobody to ask"


def test_addresses_of_our_own_are_not_lost_here_where_the_remote_holds_others(site: Site) -> None:
    """
    Given: a text that is redacted here.
    When: somebody writes it anew with an address of their own, and once more with the blanks left in.
    Then: the first stands here, as redacted it says the same; the note of the second, which is held back, holds the address.
    """
    made = site.mirror("8", "8")
    made.configure(redact="email")
    remote_id, local_id = in_step(made, CustomFields={"ticket": f"ask {EMAIL}"})
    made.here.change_incident(local_id, {"CustomFields": {"ticket": "ask bob@corp.example"}}, user="hanna")
    live(made)
    assert value_of(made.here, local_id, "ticket") == "ask bob@corp.example"
    assert value_of(made.there, remote_id, "ticket") == f"ask {EMAIL}"

    made.there.change_incident(remote_id, {"CustomFields": {"ticket": f"ask {EMAIL} first"}}, user="carla")
    live(made)
    text = "ask [e-mail address] first, then bob@corp.example"
    made.here.change_incident(local_id, {"CustomFields": {"ticket": text}}, user="hanna")
    live(made)
    assert value_of(made.there, remote_id, "ticket") == f"ask {EMAIL} first"
    assert [text in str(entry["contents"]) for entry in made.here.entries(local_id)].count(True) == 1
