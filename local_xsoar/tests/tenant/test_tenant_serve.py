"""The command line that serves one tenant."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local_xsoar.cli.serve import main
from local_xsoar.tests.served import Start, starting
from local_xsoar.tests.tenant.tenant_client import signed


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command and gives its process and what it printed until it served."""
    with starting("serve", tmp_path / "data") as run:
        yield run


def value(printed: str, name: str) -> str:
    """Return what was printed behind a name."""
    found = re.search(rf"^  {name} +(\S+)", printed, re.MULTILINE)
    assert found, printed
    return found[1]


def stop(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Press Ctrl-C; return the exit status and the error output."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


def test_serves_until_ctrl_c_and_keeps_key_and_incidents(start: Start, tmp_path: Path) -> None:
    """
    Given: a folder.
    When: a tenant is served there with samples, called with the printed key, stopped with Ctrl-C, and served again.
    Then: it answers, ends with status 0 and no stack trace, and the second time has the same key and incidents.
    """
    process, printed = start("--incidents", "5")
    assert "Loaded 5 sample incidents." in printed
    address, key, key_id = (value(printed, name) for name in ("address", "API key", "key ID"))
    assert f"curl -H 'Authorization: {key}'" in printed
    headers = {"Authorization": key, "x-xdr-auth-id": key_id}
    search = {"filter": {"query": "", "size": 10}}
    found = requests.post(f"{address}/xsoar/incidents/search", json=search, headers=headers, timeout=20).json()
    assert len(found["data"]) == 5
    assert stop(process) == (0, "")

    process, printed = start("--incidents", "7")
    assert "already holds 5 incidents" in printed
    assert value(printed, "API key") == key
    assert stop(process) == (0, "")
    assert (tmp_path / "data" / "access.json").stat().st_mode & 0o077 == 0


def test_serves_6_under_an_account(start: Start) -> None:
    """
    Given: the options for a 6.x tenant with an account.
    When: it is served and called by its key.
    Then: it answers at the root and under the account, with its version.
    """
    process, printed = start("--version", "6.12.0", "--account", "blue", "--name", "old")
    headers = {"Authorization": value(printed, "API key")}
    for address in (value(printed, "address"), value(printed, "account")):
        assert requests.get(f"{address}/about", headers=headers, timeout=20).json()["demistoVersion"] == "6.12.0"
    assert stop(process) == (0, "")


def test_prints_the_address_of_its_page(start: Start) -> None:
    """
    Given: a tenant that is served.
    When: the page's printed address is opened as a browser opens it, and its token is exchanged.
    Then: the page is there, and the token, unlike the API key, which stands in no address, lets in.
    """
    process, printed = start("--name", "branch")
    address, _, token = value(printed, "page").partition("#token=")
    assert requests.get(address, timeout=20).headers["content-type"].startswith("text/html")
    assert value(printed, "API key") not in value(printed, "page")
    with requests.Session() as browser:
        browser.headers.update({"X-Local-XSOAR": "page", "Origin": value(printed, "address")})
        assert browser.post(f"{address}api/session", json={"token": token}, timeout=20).status_code == 200
        assert browser.get(f"{address}api/tenant", timeout=20).json()["name"] == "branch"
    assert stop(process) == (0, "")


def test_serves_8_with_an_advanced_key_and_its_example_works(start: Start) -> None:
    """
    Given: the option for an advanced key.
    When: the tenant is called with a signed request, and with the call that it printed.
    Then: both are let in.
    """
    process, printed = start("--advanced-key")
    now = int(time.time() * 1000)
    headers = signed(value(printed, "API key"), value(printed, "key ID"), now)
    assert requests.get(f"{value(printed, 'address')}/xsoar/about", headers=headers, timeout=20).status_code == 200
    example = printed.split("Try:\n")[1].split("\nPress Ctrl-C")[0]
    # A stand-in for curl that shows what it was given: not every machine has the real one.
    shell = ["/bin/sh", "-c", f"""curl() {{ printf '%s\\n' "$@"; }}\n{example}"""]
    *pairs, url = subprocess.run(shell, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
    options = list(zip(pairs[::2], pairs[1::2], strict=True))
    shown = dict(text.split(": ", 1) for option, text in options if option == "-H")
    (body,) = (text for option, text in options if option == "-d")
    assert requests.post(url, data=body, headers=shown, timeout=20).json()["total"] == 0
    assert stop(process) == (0, "")


def test_switches_of_the_served_tenant(start: Start) -> None:
    """
    Given: the command with two switches.
    When: the tenant is asked for its fields.
    Then: it is as the switches say.
    """
    _, printed = start("--version", "6.12.0", "--switch", "close_reasons=null", "--switch", "date_header=None")
    headers = {"Authorization": re.findall(r"API key +(\S+)", printed)[0]}
    response = requests.get(f"{value(printed, 'address')}/incidentfields", headers=headers, timeout=20)
    assert {field["selectValues"] is None for field in response.json()} == {True}
    assert "Date" not in response.headers


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--version", "eight"], '"eight"'),
        (["--version", "7"], '"7" is not one such as 8.8.0 or 6.12.0.'),
        (["--version", "7.1.0"], '"7.1.0" is not one such as'),
        (["--version", "6.12.0", "--advanced-key"], "needs an 8.x tenant"),
        (["--account", "blue"], "needs a 6.x tenant"),
        (["--name", "a/b"], '"a/b"'),
        (["--name", ""], "cannot be the name of a folder"),
        (["--incidents", "-1"], "give 0 or more"),
        (["--port", "99999999"], "Port 99999999 cannot be used (ports go from 0 to 65535): give another one"),
        (["--switch", "flying=yes"], 'no switch "flying"'),
        (["--switch", "search_total"], "give right or zero or page"),
    ],
)
def test_options_that_cannot_be_are_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Given: an option with a value that means nothing, or that does not go with another.
    When: the command is run.
    Then: it ends with status 2 and one sentence that says what.
    """
    assert main(["--folder", str(tmp_path / "data"), *arguments]) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_a_folder_keeps_its_version(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a folder in which a tenant of 6.12.0 was served.
    When: it is served as 8.8.0, and without a version.
    Then: the first is refused in one sentence that says what to do; the second serves 6.12.0.
    """
    process, _ = start("--version", "6.12.0")
    stop(process)
    folder = tmp_path / "data"
    assert main(["--folder", str(folder), "--version", "8.8.0"]) == 2
    assert capsys.readouterr().err == (
        f"The folder {folder} holds a tenant of 6.12.0, not of 8.8.0: leave --version out, or give another --name or --folder.\n"
    )
    _, printed = start()
    assert printed.startswith("Cortex XSOAR 6.12.0 tenant")


@pytest.mark.parametrize("arguments", [["--port", "many"], ["--unheard-of"], ["--folder"]])
def test_an_unknown_option_is_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: an option that does not exist, or whose value cannot be read.
    When: the command is run.
    Then: it ends with status 2 and one sentence, not with the whole usage.
    """
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_occupied_port_and_an_unusable_folder_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Given: a port that another server has, a path where a file lies, and a folder whose key file holds none.
    When: the command is run on them.
    Then: each time it ends with status 2 and one sentence that names it.
    """
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--folder", str(tmp_path / "data"), "--port", str(port)]) == 2
    assert f"Port {port} cannot be used" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert main(["--folder", str(tmp_path / "file")]) == 2
    assert f"The folder {tmp_path / 'file'} cannot be used" in capsys.readouterr().err
    (tmp_path / "data" / "access.json").write_text("[]")
    assert main(["--folder", str(tmp_path / "data")]) == 2
    printed = capsys.readouterr().err
    assert "access.json contains no API key" in printed and printed.count("\n") == 1
