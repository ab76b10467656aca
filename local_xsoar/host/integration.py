"""What an integration's yml says: its parameters, commands and abilities, and the checks that follow from it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local_xsoar.host.errors import HostError

# The loader in C is ten times as fast; PyYAML may have been built without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Types of parameters that are more than text (the type numbers of an integration's yml).
BOOLEAN, CREDENTIALS, SINGLE_SELECT, MULTI_SELECT = 8, 9, 15, 16


@dataclass(frozen=True)
class Parameter:
    """One parameter of an instance; `default` has the type that demisto.params() gives, None when there is none."""

    name: str
    display: str
    type: int
    default: Any
    required: bool
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Argument:
    """One argument of a command; `default` is None when the yml gives none, `is_list` that it takes a comma list."""

    name: str
    description: str
    required: bool
    default: str | None
    predefined: tuple[str, ...]
    positional: bool
    is_list: bool = False


@dataclass(frozen=True)
class Command:
    """One command; `execution` is the yml's flag for a command that can do harm, and only kept."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    execution: bool


@dataclass(frozen=True)
class Integration:
    """An integration as its folder in a pack describes it."""

    id: str
    display: str
    folder: Path
    script: Path
    parameters: Mapping[str, Parameter]
    commands: Mapping[str, Command]
    fetches: bool
    mirrors_in: bool
    mirrors_out: bool
    incoming_mapper: str
    outgoing_mapper: str

    @property
    def pack(self) -> Path:
        """The folder of the pack that the integration belongs to."""
        return self.folder.parent.parent

    @property
    def classifiers(self) -> Path:
        """The folder of the pack's classifiers and mappers."""
        return self.pack / "Classifiers"


# What the server adds to every integration that fetches, when its yml does not (fetching incidents, Cortex XSOAR docs).
_FETCH_PARAMETERS = (
    Parameter("isFetch", "Fetch incidents", BOOLEAN, False, False),
    Parameter("incidentType", "Incident type", 13, None, False),
    Parameter("incidentFetchInterval", "Incidents Fetch Interval", 19, "1", False),
)


def read_integration(folder: Path) -> Integration:
    """Return the integration of `folder`, which holds one yml and its script.

    Raises:
        HostError: there is no yml, more than one, no script beside it, or it cannot be read.
    """
    yml, described = described_by_yml(folder)
    try:
        return _integration(yml.parent, yml.with_suffix(".py"), described)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HostError(f"{yml} is not the yml of an integration: {' '.join(str(error).split())}.") from error


def described_by_yml(folder: Path) -> tuple[Path, Any]:
    """Return the one yml of an item's folder, and what it holds. Raises HostError when there is not one, or it is no yml."""
    folder = folder.resolve()
    found = sorted(folder.glob("*.yml"))
    if len(found) != 1:
        raise HostError(f"The folder {folder} contains {len(found)} yml files instead of one: give the folder of a single item.")
    try:
        return found[0], _loaded(found[0].read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise HostError(f"{found[0]} is not valid YAML: {' '.join(str(error).split())}.") from error


@functools.lru_cache(maxsize=32)
def _loaded(text: str) -> Any:
    """Return what a yml holds, to be read and not changed. The integration's takes 30 ms."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  (a safe loader)


def _integration(folder: Path, script: Path, described: dict[str, Any]) -> Integration:
    if not script.is_file():
        raise HostError(f"The script {script} is missing: put it next to the yml, under the same name.")
    code = described["script"]
    parameters = {item["name"]: _parameter(item) for item in described.get("configuration") or []}
    if code.get("isfetch"):
        for parameter in _FETCH_PARAMETERS:
            parameters.setdefault(parameter.name, parameter)
    return Integration(
        id=described["commonfields"]["id"],
        display=described.get("display") or described["name"],
        folder=folder,
        script=script,
        parameters=parameters,
        commands={item["name"]: read_command(item) for item in code.get("commands") or []},
        fetches=bool(code.get("isfetch")),
        mirrors_in=bool(code.get("isremotesyncin")),
        mirrors_out=bool(code.get("isremotesyncout")),
        incoming_mapper=described.get("defaultmapperin") or "",
        outgoing_mapper=described.get("defaultmapperout") or "",
    )


def _parameter(item: dict[str, Any]) -> Parameter:
    kind = int(item.get("type", 0))
    options = tuple(str(option) for option in item.get("options") or ())
    return Parameter(
        name=item["name"],
        display=item.get("display") or item["name"],
        type=kind,
        default=_default(kind, item.get("defaultvalue")),
        required=bool(item.get("required")),
        options=options,
    )


def _default(kind: int, value: Any) -> Any:
    if kind == BOOLEAN:
        return str(value).lower() == "true"
    if kind == CREDENTIALS:
        return {"identifier": "", "password": ""}
    if kind == MULTI_SELECT:
        items = value if isinstance(value, list) else str(value or "").split(",")
        return [str(item).strip() for item in items if str(item).strip()]
    return None if value is None else str(value)


def read_command(item: Mapping[str, Any]) -> Command:
    """Return a command as a yml describes it."""
    return Command(
        name=item["name"],
        description=item.get("description") or "",
        arguments=tuple(_argument(argument) for argument in item.get("arguments") or []),
        execution=bool(item.get("execution")),
    )


def _argument(item: dict[str, Any]) -> Argument:
    default = item.get("defaultValue")
    return Argument(
        name=item["name"],
        description=item.get("description") or "",
        required=bool(item.get("required")),
        default=None if default is None else _as_text(default),
        predefined=tuple(str(value) for value in item.get("predefined") or ()),
        positional=bool(item.get("default")),
        is_list=bool(item.get("isArray")),
    )


def completed_params(integration: Integration, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what demisto.params() gives when a user filled in `given`: defaults added, types as the UI stores them.

    Text that was never filled in is None, a boolean False, a multi-select [], credentials {"identifier": "", "password": ""}.
    Text stays what was given, so that a blank field ("") can be told from an untouched one; numbers become text.

    Raises:
        HostError: a parameter is unknown, of the wrong type, not one of the options, or missing though required.
    """
    unknown = sorted(set(given) - set(integration.parameters))
    if unknown:
        known = ", ".join(sorted(integration.parameters))
        raise HostError(f"{integration.display} has no parameter {unknown[0]}: it has {known}.")
    params = {
        name: _checked(parameter, given[name]) if name in given else parameter.default
        for name, parameter in integration.parameters.items()
    }
    for name, parameter in integration.parameters.items():
        value = params[name]
        blank = not any(value.values()) if isinstance(value, dict) else value in (None, "", [])
        if parameter.required and blank:
            raise HostError(f"The parameter {name} ({parameter.display}) of {integration.display} is required: give it a value.")
    return params


def _checked(parameter: Parameter, value: Any) -> Any:
    if parameter.type == BOOLEAN:
        if not isinstance(value, bool):
            raise HostError(f"The parameter {parameter.name} must be true or false, not {value!r}.")
        return value
    if parameter.type == CREDENTIALS:
        if not isinstance(value, dict) or not set(value) <= {"identifier", "password"} or not _all_text(value.values()):
            raise HostError(f'The parameter {parameter.name} is credentials: give {{"identifier": "...", "password": "..."}}.')
        return {"identifier": "", "password": "", **value}
    if parameter.type == MULTI_SELECT:
        if not isinstance(value, list) or not _all_text(value):
            raise HostError(f"The parameter {parameter.name} must be a list of texts: give a list.")
        for item in value:
            _check_option(parameter, item)
        return value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise HostError(f"The parameter {parameter.name} must be a text: give a text.")
    if parameter.type == SINGLE_SELECT and value != "":
        _check_option(parameter, str(value))
    return str(value)


def _all_text(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _check_option(parameter: Parameter, value: str) -> None:
    if parameter.options and value not in parameter.options:
        raise HostError(f"The parameter {parameter.name} cannot be {value!r}: choose from {', '.join(parameter.options)}.")


def param_from_text(parameter: Parameter, text: str) -> Any:
    """Return the value of a parameter that was typed as text: true or false, a comma list, or the text itself.

    Raises:
        HostError: the parameter is a boolean and the text is neither true nor false, or it is credentials.
    """
    if parameter.type == BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise HostError(f"The parameter {parameter.name} must be true or false, not {text!r}.")
        return text.lower() == "true"
    if parameter.type == CREDENTIALS:
        raise HostError(
            f"The parameter {parameter.name} holds credentials and cannot be given here: use the options for the API key."
        )
    if parameter.type == MULTI_SELECT:
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def command_of(integration: Integration, name: str) -> Command:
    """Return a command of the integration by its name. Raises HostError when there is none of that name."""
    if name not in integration.commands:
        raise HostError(f"{integration.display} has no command {name}: it has {', '.join(sorted(integration.commands))}.")
    return integration.commands[name]


def completed_args(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what demisto.args() gives: values as text (lists and objects as they are), defaults of the yml added.

    A value under the name "" goes to the command's default argument.

    Raises:
        HostError: an argument is unknown, missing though required, or not one of its predefined values.
    """
    named = {_argument_name(command, name): _as_text(value) for name, value in given.items() if value is not None}
    completed: dict[str, Any] = {}
    for argument in command.arguments:
        value = named.get(argument.name, argument.default)
        if value is None or (value == "" and argument.required):
            if argument.required:
                raise HostError(f"{command.name} needs the argument {argument.name}: {argument.description or 'give it a value'}")
            continue
        _check_predefined(command, argument, value)
        completed[argument.name] = value
    return completed


def _check_predefined(command: Command, argument: Argument, value: Any) -> None:
    several = argument.is_list and isinstance(value, str)
    for item in [part.strip() for part in value.split(",")] if several else [value]:
        if argument.predefined and item not in ("", *argument.predefined):
            allowed = ", ".join(argument.predefined)
            raise HostError(f"The argument {argument.name} of {command.name} cannot be {item!r}: choose from {allowed}.")


def _argument_name(command: Command, name: str) -> str:
    names = [argument.name for argument in command.arguments]
    if name in names:
        return name
    positional = [argument.name for argument in command.arguments if argument.positional]
    if name == "" and positional:
        return positional[0]
    takes = f"it takes {', '.join(names)}" if names else "it takes none"
    if name == "":
        raise HostError(f"{command.name} takes no argument without a name: {takes}.")
    raise HostError(f"{command.name} has no argument {name}: {takes}.")


def _as_text(value: Any) -> Any:
    """Return an argument as the server gives it: scalars are text, true and false in lower case."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value
