"""Tests of what may cross between the tenants: which fields and files, and what is redacted in texts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import XSOARMirroring as script
from stand_ins import ENTRIES, TEMPLATE, load
from XSOARMirroring import Sharing

EVERYTHING = Sharing()
ALL_KINDS = Sharing(redact=("email", "ip", "phone", "card", '"Project Falcon"', '"falcon"', '"Straße"'))
MAIL, ADDRESS, PHONE, CARD, WORD = "[e-mail address]", "[IP address]", "[telephone number]", "[card number]", "[redacted]"
FIELDS = load("incident_fields")


def incident(**changes: Any) -> dict[str, Any]:
    """Return a remote incident with custom fields that hold something."""
    custom = {**TEMPLATE["CustomFields"], "sourceip": "canary-ip", "mailfrom": "canary-mail"}
    return {**TEMPLATE, "CustomFields": custom, **changes}


def entry(name: str, **changes: Any) -> script.Entry:
    """Return an entry of test_data, with changes."""
    return script.Entry.of({**ENTRIES[name], **changes})


def holds(value: Any, *words: str) -> list[str]:
    """Return which words stand anywhere in a value, in any case and however JSON spells them."""
    found = (json.dumps(value) + json.dumps(value, ensure_ascii=False)).lower()
    return [word for word in words if word.lower() in found]


""" PARAMETERS """

IN, OUT, SIZE, TYPES, REDACT = "Fields that come in", "Fields that go out", "Largest file (in MB)", "File types", "Redact"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {}),
        ({"in_fields": None, "out_fields": " , ", "max_file_mb": " ", "file_types": "", "redact": "  "}, {}),
        ({"in_fields": "Severity, sourceip,,severity"}, {"in_fields": ("severity", "sourceip")}),
        ({"in_fields": "CustomFields.SourceIP"}, {"in_fields": ("customfields.sourceip",)}),
        ({"out_fields": "-sourceip, -Details"}, {"out_fields": ("-sourceip", "-details")}),
        ({"out_fields": ["severity", "dbotDueDate"]}, {"out_fields": ("severity", "duedate")}),
        ({"max_file_mb": "10"}, {"max_file_mb": 10}),
        ({"max_file_mb": 1024}, {"max_file_mb": 1024}),
        ({"file_types": "pdf, .TXT"}, {"file_types": ("pdf", "txt")}),
        ({"file_types": "-exe,-.js, - exe"}, {"file_types": ("-exe", "-js")}),
        ({"redact": "E-mail, ip addresses,phones, Card numbers"}, {"redact": ("email", "ip", "phone", "card")}),
        ({"redact": "email, emails, e-mails, email addresses"}, {"redact": ("email",)}),
        ({"redact": "ip, credit cards, telephone numbers"}, {"redact": ("ip", "card", "phone")}),
        ({"redact": '"Project  Falcon", ip,"a, b and c"'}, {"redact": ('"Project Falcon"', "ip", '"a, b and c"')}),
        ({"redact": "“Project Falcon”, „project falcon“"}, {"redact": ('"Project Falcon"',)}),
        ({"redact": '"email"'}, {"redact": ('"email"',)}),
        ({"redact": ["email", '"a, b"']}, {"redact": ("email", '"a, b"')}),
    ],
)
def test_what_may_cross_is_read_from_the_parameters(params: dict[str, Any], expected: dict[str, Any]) -> None:
    """
    Given: parameters in the shapes in which the platform gives them, some of them blank.
    When: they are parsed.
    Then: they have their meaning; what is blank lets everything cross.
    """
    assert script.parse_sharing(params) == Sharing(**expected)


@pytest.mark.parametrize(
    ("params", "named", "remedy"),
    [
        ({"in_fields": "severity, -details"}, IN, "a minus before every item"),
        ({"out_fields": "-severity, details"}, OUT, "a minus before every item"),
        ({"in_fields": "Source IP"}, f"{IN} contains 'source ip'", "CLI names such as sourceip"),
        ({"in_fields": "-"}, f"{IN} contains '-'", "CLI names"),
        ({"in_fields": "--severity"}, f"{IN} contains '--severity'", "CLI names"),
        ({"out_fields": "-CustomFields"}, f"{OUT} contains '-customfields'", "CLI names"),
        ({"out_fields": "CustomFields."}, f"{OUT} contains", "CLI names"),
        ({"in_fields": "-status"}, f"{IN} excludes status", "remove it"),
        ({"max_file_mb": "0"}, f"{SIZE} is 0", "from 1 to 1024"),
        ({"max_file_mb": 1025}, f"{SIZE} is 1025", "from 1 to 1024"),
        ({"max_file_mb": "ten"}, f"{SIZE} is 'ten'", "from 1 to 1024"),
        ({"max_file_mb": True}, f"{SIZE} is 'True'", "from 1 to 1024"),
        ({"file_types": "pdf, -exe"}, TYPES, "a minus before every item"),
        ({"file_types": "*.pdf"}, f"{TYPES} contains '*.pdf'", "such as pdf"),
        ({"file_types": "tar.gz"}, f"{TYPES} contains 'tar.gz'", "file extensions"),
        ({"file_types": "-"}, f"{TYPES} contains '-'", "such as pdf"),
        ({"redact": "email, iban"}, f"{REDACT} contains 'iban'", "email, ip, phone, card"),
        ({"redact": "Project Falcon"}, f"{REDACT} contains 'Project Falcon'", "double quotes"),
        ({"redact": 'Project "Falcon"'}, REDACT, "double quotes"),
        ({"redact": '"Project Falcon, ip'}, f"{REDACT} has an unmatched quotation mark", "in double quotes"),
        ({"redact": '""'}, f'{REDACT} contains ""', "3 to 200 characters"),
        ({"redact": '"ab"'}, f'{REDACT} contains "ab"', "3 to 200 characters"),
        ({"redact": f'"{"a" * 201}"'}, REDACT, "3 to 200 characters"),
        ({"redact": ",".join(f'"word {number}"' for number in range(51))}, f"{REDACT} has more than 50", "remove some"),
    ],
)
def test_a_wrong_parameter_is_named_with_the_remedy(params: dict[str, Any], named: str, remedy: str) -> None:
    """
    Given: one wrong parameter.
    When: the parameters are parsed.
    Then: one sentence names it as the settings page does, and says what to do.
    """
    with pytest.raises(ValueError, match=r"^[^\n]+[.]$") as caught:
        script.parse_sharing(params)

    assert named in str(caught.value)
    assert remedy in str(caught.value)


def test_without_a_policy_all_is_handed_on_as_it_is() -> None:
    """
    Given: an instance that limits nothing.
    When: incidents, changes, entries and files cross.
    Then: each is the same object, and no file is refused.
    """
    raw, change = incident(rawJSON='{"a": "eve@example.com"}'), {"details": "eve@example.com"}
    note = entry("chat", contents="10.0.0.1")

    assert script.shared_in(raw, EVERYTHING) is raw
    assert script.shared_out(change, EVERYTHING) is change
    assert script.shared_entry(note, EVERYTHING) is note
    assert script.redacted(raw, EVERYTHING) is raw
    assert script.file_refusal("setup.exe", script.LARGEST_FILE, EVERYTHING) == ""
    assert script.file_refusal("README", None, EVERYTHING) == ""


""" FIELDS """


@pytest.mark.parametrize(
    ("chosen", "own", "custom"),
    [
        (("severity", "sourceip"), {"severity"}, {"sourceip"}),
        (("customfields.sourceip",), set(), {"sourceip"}),
        (("customfields.severity",), set(), set()),
        (("name", "owner", "duedate"), {"name", "owner", "dueDate"}, set()),
        (("details", "labels", "rawjson"), {"details", "labels", "rawJSON"}, set()),
    ],
)
def test_only_the_listed_fields_come_in(chosen: tuple[str, ...], own: set[str], custom: set[str]) -> None:
    """
    Given: a list of fields that alone may come in.
    When: a remote incident comes in.
    Then: it has these, and what mirroring itself needs; nothing else, and nothing of the other values anywhere.
    """
    raw = incident(details="canary-details", rawJSON="canary-raw", dbotMirrorId="12@hq.example.com")

    shared = script.shared_in(raw, Sharing(in_fields=chosen))

    needed = {"id", "version", "created", "modified", "closed", "status", "investigationId", "autime"}
    assert set(shared) == needed | own | {"CustomFields"}
    assert set(shared["CustomFields"]) == custom
    assert all(shared[key] == raw[key] for key in needed | own)
    assert script.Incident.of(shared).status == script.Incident.of(raw).status
    assert script.Incident.of(shared).modified == raw["modified"]
    expected = {"canary-ip": "sourceip" in custom, "canary-mail": False, "canary-details": "details" in own}
    assert {word: bool(holds(shared, word)) for word in expected} == expected


def test_all_but_the_excluded_fields_come_in_and_nothing_repeats_them() -> None:
    """
    Given: a list of fields that may not come in; the incident repeats their values in rawJSON, labels and raw names.
    When: it comes in.
    Then: everything else is there, and their values stand nowhere.
    """
    raw = incident(
        name="canary-name",
        rawName="canary-name",
        details="canary-details",
        rawJSON='{"sourceip": "canary-ip"}',
        labels=[{"type": "details", "value": "canary-details"}],
        sortValues=["canary-name"],
    )

    shared = script.shared_in(raw, Sharing(in_fields=("-name", "-details", "-customfields.sourceip")))

    assert not holds(shared, "canary-name", "canary-details", "canary-ip")
    assert shared["CustomFields"]["mailfrom"] == "canary-mail"
    gone = {"name", "details", "rawJSON", "labels", "rawName", "sortValues"}
    gone |= {"rawType", "rawCategory", "rawPhase", "rawCloseReason"}
    assert {key: value for key, value in raw.items() if key not in {*gone, "CustomFields"}} == {
        key: value for key, value in shared.items() if key != "CustomFields"
    }


def test_a_custom_field_and_an_own_one_of_one_name_are_told_apart() -> None:
    """
    Given: an incident with a field of its own and a custom one of the same name.
    When: only the custom one is excluded.
    Then: the other one comes in.
    """
    raw = incident(details="ours", CustomFields={"details": "canary"})

    shared = script.shared_in(raw, Sharing(in_fields=("-customfields.details",)))

    assert shared["details"] == "ours"
    assert shared["CustomFields"] == {}


@pytest.mark.parametrize("custom", [None, [], "canary", ["canary"]])
def test_custom_fields_that_are_no_object_do_not_come_in(custom: Any) -> None:
    """
    Given: an incident whose custom fields are anything but an object.
    When: it comes in under a list.
    Then: nothing of them crosses, and nothing breaks.
    """
    shared = script.shared_in(incident(CustomFields=custom), Sharing(in_fields=("-details",)))

    assert script.custom_fields(shared) == {}
    assert not holds(shared, "canary")


@pytest.mark.parametrize(
    ("chosen", "crosses"),
    [
        (("severity",), {"id", "severity"}),
        (("sourceip",), {"id", "sourceip", "CustomFields.sourceip", "nested sourceip"}),
        (("customfields.sourceip",), {"id", "sourceip", "CustomFields.sourceip", "nested sourceip"}),
        (("customfields.severity",), {"id"}),
        (("closereason", "duedate"), {"id", "closeReason", "dbotDueDate"}),
        (
            ("-sourceip", "-closenotes"),
            {"id", "severity", "closeReason", "dbotDueDate", "CustomFields.mailfrom", "nested mailfrom"},
        ),
        (("-severity", "-mailfrom", "-duedate", "-closereason", "-closenotes", "-customfields.sourceip"), {"id"}),
    ],
)
def test_only_what_the_list_lets_goes_out(chosen: tuple[str, ...], crosses: set[str]) -> None:
    """
    Given: local changes under remote names: flat, behind `CustomFields.`, and nested.
    When: they go out under a list of fields.
    Then: those go that it lets, whichever way the mapper names them, and the ID.
    """
    names = ("id", "severity", "closeReason", "closeNotes", "dbotDueDate", "sourceip", "CustomFields.sourceip")
    change = {
        **{name: f"canary {name}" for name in (*names, "CustomFields.mailfrom")},
        "rawJSON": "canary",
        "CustomFields": {"sourceip": "canary", "mailfrom": "canary"},
    }

    shared = script.shared_out(change, Sharing(out_fields=chosen))

    nested = {f"nested {name}" for name in shared.pop("CustomFields")}
    assert {*shared, *nested} == crosses
    assert all(change[name] == value for name, value in shared.items())


def test_a_field_in_another_spelling_does_not_slip_through() -> None:
    """
    Given: a mapper that spells names in capitals.
    When: its changes go out under a list that excludes them.
    Then: they do not go.
    """
    change = {
        "SourceIP": "canary",
        "customfields.SOURCEIP": "canary",
        "customfields": {"SourceIp": "canary"},
        "DETAILS": "canary",
    }

    shared = script.shared_out(change, Sharing(out_fields=("-sourceip", "-details")))

    assert not holds(shared, "canary")


def test_names_that_the_tenant_does_not_have_are_found() -> None:
    """
    Given: a list with fields of every incident, custom ones, an indicator's, one misspelt, and the fields that a tenant gives.
    When: it is compared with them.
    Then: the misspelt one, the indicator's and the own one that is named as a custom one are told.
    """
    names = script.parse_fields(
        "severity, CustomFields.sourceip, MailFrom, labels, rawJSON, dbotDueDate, firstseen, sorceip, CustomFields.details", IN
    )

    assert script.unknown_fields(names, FIELDS) == ["firstseen", "sorceip", "customfields.details"]
    assert script.unknown_fields(("-sourceip", "-nowhere"), FIELDS) == ["nowhere"]
    assert script.unknown_fields(("severity", "nowhere"), None) == ["nowhere"]


""" FILES """

TOO_LARGE = "it is larger than 10 MB"


@pytest.mark.parametrize(
    ("name", "size", "types", "refusal"),
    [
        ("mail.eml", 1, (), ""),
        ("mail.eml", 10 << 20, (), ""),
        ("mail.eml", (10 << 20) + 1, (), TOO_LARGE),
        ("mail.eml", None, (), ""),
        ("report.PDF", 1, ("pdf", "txt"), ""),
        ("setup.exe", 1, ("pdf", "txt"), "its type .exe is not shared"),
        ("README", 1, ("pdf",), "it has no type, and only some types are shared"),
        ("README", 1, ("-exe",), ""),
        ("setup.exe", 1, ("-exe", "-js"), "its type .exe is not shared"),
        ("SETUP.EXE", 1, ("-exe",), "its type .exe is not shared"),
        ("a.pdf.exe", 1, ("-exe",), "its type .exe is not shared"),
        ("a.pdf.exe", 1, ("pdf",), "its type .exe is not shared"),
        ("a.exe.pdf", 1, ("-exe",), ""),
        ("setup.exe. .", 1, ("-exe",), "its type .exe is not shared"),
        ("setup.exe\u200b", 1, ("-exe",), "its type .exe is not shared"),
        ("setup.exe:stream", 1, ("-exe",), "its type .exe is not shared"),
        (".exe", 1, ("-exe",), "its type .exe is not shared"),
        ("pdf", 1, ("pdf",), "it has no type, and only some types are shared"),
        ("mail. Notes on Eve", 1, ("pdf",), "its type is not shared"),
        ("mail.canary", 1, ("pdf",), "its type is not shared"),
        (None, 1, ("pdf",), "it has no type, and only some types are shared"),
        ("", 1, (), ""),
    ],
)
def test_a_file_is_refused_for_its_type_or_size(name: Any, size: int | None, types: tuple[str, ...], refusal: str) -> None:
    """
    Given: a file, and an instance that shares files up to 10 MB and of some types.
    When: it is to cross.
    Then: the words say why it does not, without its name or what is redacted.
    """
    assert script.file_refusal(name, size, Sharing(max_file_mb=10, file_types=types, redact=('"canary"',))) == refusal


""" REDACTION """

REDACTED: list[tuple[str, str]] = [
    ("eve@example.com", MAIL),
    ('"Eve" <eve.o\'brien+tag@mail.example.co.uk>, bob@example.org.', f'"Eve" <{MAIL}>, {MAIL}.'),
    ("'eve@example.com'", f"'{MAIL}'"),
    ("eve@bücher.example", MAIL),
    ("user[@]example[.]com", MAIL),
    ("user [at] example [dot] com", MAIL),
    ("to=user%40example.com&x=1", f"to={MAIL}&x=1"),
    ("a@b.c'd@e.f'g@h.i", f"{MAIL}'{MAIL}'{MAIL}"),
    ("10.0.0.1", ADDRESS),
    ("http://10.0.0.1:8080/x and 10.0.0.0/8.", f"http://{ADDRESS}:8080/x and {ADDRESS}/8."),
    ("hxxp://10[.]0[.]0[.]1/", f"hxxp://{ADDRESS}/"),
    ("scan_010.000.000.001.txt", f"scan_{ADDRESS}.txt"),
    ("2001:db8::1", ADDRESS),
    ("[2001:db8::1]:443, fe80::1%eth0", f"[{ADDRESS}]:443, {ADDRESS}%eth0"),
    ("2001:db8:0:0:0:0:0:1:443", f"{ADDRESS}:443"),
    ("ip:2001:db8::1.", f"ip:{ADDRESS}."),
    ("::ffff:10.0.0.1", ADDRESS),
    ("+49 30 1234567", PHONE),
    ("+49 (0)30 / 12 34 567", PHONE),
    ("tel:+493012345678;", f"tel:{PHONE};"),
    ("+1 (555) 123-4567", PHONE),
    ("(555) 123-4567, 555-123-4567, 555.123.4567", f"{PHONE}, {PHONE}, {PHONE}"),
    ("1-800-555-0199", PHONE),
    ("0049 30 1234567 or 00493012345678", f"{PHONE} or {PHONE}"),
    ("030/1234567, (030) 1234567, 030 123 45 67", f"{PHONE}, {PHONE}, {PHONE}"),
    ("01 23 45 67 89", PHONE),
    ("+49 30 1234567" * 9, PHONE * 9),
    ("(030) 1234567" * 9, PHONE * 9),
    ("+49 30 1234567 2024-01-02 10:20", f"{PHONE} 2024-01-02 10:20"),
    ("4111111111111111", CARD),
    ("4111 1111 1111 1111, 4111-1111-1111-1111", f"{CARD}, {CARD}"),
    ("2024 3782 822463 10005 123", f"2024 {CARD} 123"),
    ("PAN5555555555554444x", f"PAN{CARD}x"),
    ("PROJECT  falcon and Project\nFalcon", f"{WORD} and {WORD}"),
    ("xFALCONx", f"x{WORD}x"),
    ("STRASSE, straße", f"{WORD}, {WORD}"),
    ('{"a\\u0062": "\\u0066alcon", "n": [4111111111111111, 3]}', f'{{"ab": "{WORD}", "n": [null, 3]}}'),
]
KEPT = [
    *(
        "52@4",
        "4_0b6f5c1e_mail.eml",
        "lodash@4.17.21",
        "user@localhost",
        "@channel",
        "v1.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "999.1.1.1",
    ),
    *("10:20:30", "std::string", "a :: b", "Foo::Bar", "aa:bb:cc:dd:ee:ff", "2024-01-02", "01.02.2024", "01-02-2024", "1/2/2024"),
    *("2026-03-01T11:38:21.895125832Z", "at 2026-03-01T11:38:21+01:00, 0001-01-01T00:00:00Z", "2024-01-02 10:20:30"),
    *("Mon, 01 Mar 2026 10:00:00 +0100 12345678", "550e8400-e29b-41d4-a716-446655440000", "INC-0123-456789", "1700000000000"),
    *("12345678-0123-4567-8901-123456789012", "d41d8cd98f00b204e9800998ecf8427e", "1678010808446441500", "ports 8080-8090, 0.0"),
    *("4111111111111112", "0.4111111111111111", "1234567890", "1,234,567,890", '{"a":  1}', "[not JSON", "e-mail", ""),
]


@pytest.mark.parametrize(("text", "expected"), REDACTED)
def test_what_is_redacted_says_what_stood_there(text: str, expected: str) -> None:
    """
    Given: a text with something that is to be redacted.
    When: it is redacted, and then redacted once more.
    Then: words stand for it, everything around it is as it was, and nothing changes the second time.
    """
    assert script.redacted(text, ALL_KINDS) == expected
    assert script.redacted(expected, ALL_KINDS) == expected


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_alike_stays(text: str) -> None:
    """
    Given: a time, an ID, a version, a hash or something else that only looks like what is redacted.
    When: it is redacted.
    Then: it stays as it is.
    """
    assert script.redacted(text, ALL_KINDS) == text


@pytest.mark.parametrize("kind", ["email", "ip", "phone", "card", '"falcon"'])
def test_each_kind_is_redacted_alone(kind: str) -> None:
    """
    Given: a text with one thing of each kind, and an instance that redacts one of them.
    When: it is redacted.
    Then: only that one is gone.
    """
    samples = {
        "email": "eve@example.com",
        "ip": "10.0.0.1",
        "phone": "+49 30 1234567",
        "card": "4111 1111 1111 1111",
        '"falcon"': "falcon",
    }

    clean = script.redacted("; ".join(samples.values()), Sharing(redact=(kind,)))

    assert [name for name, sample in samples.items() if sample not in clean] == [kind]


def test_data_is_redacted_at_any_depth_with_its_keys() -> None:
    """
    Given: data with texts, keys, numbers and truth values, nested, two keys alike once they are redacted.
    When: it is redacted.
    Then: texts and inner keys are redacted, the first keys stay, and no value is lost but for whole card numbers.
    """
    value = {
        "falcon": {"eve@example.com": 1, "bob@example.com": [True, None, 3, 0.5, 4111111111111111, 4111111111111111.0]},
        "list": [{"falcon": "10.0.0.1"}, ["falcon"]],
        "times": ["2026-03-01T11:38:21.895125832Z", 1678010808446441500],
    }

    assert script.redacted(value, ALL_KINDS) == {
        "falcon": {MAIL: 1, f"{MAIL} 2": [True, None, 3, 0.5, None, None]},
        "list": [{WORD: ADDRESS}, [WORD]],
        "times": ["2026-03-01T11:38:21.895125832Z", 1678010808446441500],
    }


def test_what_the_mirror_knows_files_and_timers_by_stays() -> None:
    """
    Given: an instance that redacts the words by which files and timers are known.
    When: an incident comes in.
    Then: they are still known as such.
    """
    files = [{"name": "falcon.txt", "path": "4_0b6f_falcon.txt", "type": "text/plain", "showMediaFile": False}]
    raw = incident(CustomFields={"files": files, "detectionsla": TEMPLATE["CustomFields"]["detectionsla"]})

    shared = script.shared_in(raw, Sharing(redact=('"falcon"', '"path"', '"runStatus"', '"name"')))

    assert all(script.stays(name, value) for name, value in shared["CustomFields"].items())
    assert not holds(shared, "falcon")


@pytest.mark.parametrize("nested", [False, True])
def test_data_that_is_nested_too_deep_is_redacted_unread(nested: bool) -> None:
    """
    Given: data, or a text of JSON, that is nested deeper than can be read.
    When: it is redacted.
    Then: nothing of it crosses, and nothing breaks.
    """
    value: Any = "falcon"
    for _ in range(900):
        value = [value]
    text = "[" * 100_000 + "falcon"

    clean = script.redacted({"a": value} if nested else text, ALL_KINDS)

    assert "falcon" not in str(clean)


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "4 ", "4444 ", ":", "::1 ", "@", "a@", "a@b.", "a@b.c'", ".", "1.", "+4", "0 ", "(0", "[", "[[", "2024-", "f:"],
)
def test_a_hostile_text_is_read_to_its_end(piece: str) -> None:
    """
    Given: a long text that begins to look like something of each kind at every place.
    When: it is redacted.
    Then: it comes to its end, and what stands behind it is still found.
    """
    clean = script.redacted(piece * (300_000 // len(piece)) + " ; eve@example.com", ALL_KINDS)

    assert clean.endswith(MAIL)


def test_redaction_reaches_fields_of_an_incident_and_spares_what_mirroring_needs() -> None:
    """
    Given: an incident with an address, a number and a word in all its fields, in rawJSON and in file names.
    When: it comes in, and when it goes out.
    Then: none of them is found in it; names of fields and the IDs of the mirroring stay.
    """
    raw = incident(
        name="Mail of eve@example.com",
        owner="eve@example.com",
        closeNotes="call +49 30 1234567",
        rawJSON=json.dumps({"grüße": "FALCÖN", "from": "<eve@example.com>"}),
        labels=[{"type": "Email/from", "value": "eve@example.com"}],
        attachment=[{"name": "eve@example.com.eml", "path": "4_0b6f_eve@example.com.eml"}],
        dbotMirrorId="12@hq.example.com",
        dbotCreatedBy="eve@example.com",
        CustomFields={"falcön": "FALCÖN", "grid": [{"eve@example.com": "card 4111-1111-1111-1111"}]},
    )
    sharing = Sharing(redact=("email", "phone", "card", '"falcön"'))

    came, went = script.shared_in(raw, sharing), script.shared_out(raw, sharing)

    for shared in (came, went):
        assert not holds(shared, "eve@example", "1234567", "4111")
        assert shared["CustomFields"] == {"falcön": WORD, "grid": [{MAIL: f"card {CARD}"}]}
        assert json.loads(shared["rawJSON"]) == {"grüße": WORD, "from": f"<{MAIL}>"}
        assert {**shared, "id": "4"}.keys() == raw.keys()
    assert came["dbotMirrorId"] == "12@hq.example.com"
    assert {key: came[key] for key in ("id", "created", "modified", "status", "version", "autime")} == {
        key: raw[key] for key in ("id", "created", "modified", "status", "version", "autime")
    }


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_entry_stays_the_same_entry(name: str) -> None:
    """
    Given: an entry of each shape whose text, data, file and author hold what is redacted.
    When: it crosses.
    Then: none of that is found in it, its earlier texts included; what it is known by is as it was.
    """
    contents = ENTRIES[name]["contents"]
    secret = {"falcon": [contents, "10.0.0.1"]} if isinstance(contents, dict) else f"{contents} Falcon 10.0.0.1"
    changes: dict[str, Any] = {"contents": secret, "user": "eve@example.com", "dbotCreatedBy": "eve@example.com"}
    changes["history"] = [{"contents": "Falcon", "contentDate": "2026-03-01T11:00:00Z", "user": "eve@example.com"}]
    if ENTRIES[name]["file"]:
        changes |= {"file": "falcon.eml", "fileID": "4_0b6f5c1e_falcon.eml"}
    before = entry(name, **changes)

    after = script.shared_entry(before, ALL_KINDS)

    assert not holds(after.raw, "falcon", "10.0.0.1", "eve@")
    assert after._replace(raw=before.raw) == before
    assert all(after.raw[key] == before.raw[key] for key in ("id", "created", "modified", "tags", "type", "format", "category"))
    assert MAIL.removeprefix("[") in script.signature(after)


def test_the_comment_and_the_name_of_a_file_are_redacted() -> None:
    """
    Given: a file whose name and comment hold what is redacted.
    When: it crosses.
    Then: both say that something was redacted.
    """
    after = script.shared_entry(entry("file", file="Project Falcon.eml", contents="from eve@example.com"), ALL_KINDS)

    assert after.raw["file"] == f"{WORD}.eml"
    assert script.signed_comment(after).endswith(f": from {MAIL}")


PIECES = st.sampled_from(
    [*(text for text, _ in REDACTED), *KEPT, "+", "-", ".", ":", "'", "0", "4", "a", "[", "]", "(", " ", "falcon"]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=6).map("".join), st.text(alphabet="0123456789+-.:@[]() afF'", max_size=60), st.text()))
def test_redacting_again_changes_nothing(text: str) -> None:
    """
    Given: any text.
    When: it is redacted twice.
    Then: the second time changes nothing, and the words are gone.
    """
    once = script.redacted(text, ALL_KINDS)

    assert script.redacted(once, ALL_KINDS) == once
    assert "falcon" not in once.lower()


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 10**9) | st.text("abc xyz,;"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
        max_leaves=10,
    )
)
def test_what_holds_nothing_to_redact_stays(value: Any) -> None:
    """
    Given: any data without anything that is redacted.
    When: it is redacted.
    Then: it is as it was.
    """
    assert script.redacted(value, ALL_KINDS) == value


@pytest.mark.parametrize(
    ("name", "sharing", "is_plain"),
    [
        ("report.pdf", EVERYTHING, True),
        ("Falcon plan.pdf", EVERYTHING, True),
        ("Falcon plan.pdf", ALL_KINDS, False),
        ("report.exe", Sharing(file_types=("pdf",)), False),
    ],
)
def test_an_attachment_without_an_entry_is_known_by_a_name_that_may_be_kept(name: str, sharing: Sharing, is_plain: bool) -> None:
    """Given an attachment that no entry holds; When it gets a key; Then its name stands there only where it may be kept here."""
    attached = script.entry_of_attachment(name, script.Incident.of(incident()), sharing)
    other = script.entry_of_attachment("other.pdf", script.Incident.of(incident()), sharing)

    assert (name in attached.key) is is_plain
    assert attached.key.startswith("attachment ")
    assert attached.key != other.key
    assert attached.has_file
