"""The reference, generated from the tables: commands, operations, flags, environment, config keys, error codes."""

from collections.abc import Callable, Mapping
from importlib import import_module

from llr.base.errors import STATUS
from llr.base.jsonio import JSON
from llr.cli.table import ALIASES, COMMANDS, GLOBAL_PARAMS
from llr.config.codes import EDIT_CODES, ISSUE_CODES
from llr.config.keys import KEYS, Key
from llr.config.knobs import KNOBS
from llr.control.codes import COMMAND_CODES, EXIT_CODES, FAULT_CODES
from llr.control.operation import CONFIG_PARAM
from llr.control.operations import OPERATIONS
from llr.control.params import Kind, Param

# Variables of others that the program heeds.
FOREIGN: Mapping[str, str] = {
    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "proxies to providers, in upper or lower case; never for loopback",
    "SSL_CERT_FILE, REQUESTS_CA_BUNDLE": "trusted roots instead of the built-in ones",
    "NODE_EXTRA_CA_CERTS": "further trusted roots",
    "NO_COLOR, FORCE_COLOR, TERM=dumb": "whether the command line colours its lines",
}

Topic = tuple[list[str], JSON]


def params_of(name: str) -> tuple[Param, ...]:
    """Returns the flags of a command besides the global ones."""
    found: tuple[Param, ...] = import_module(COMMANDS[name].module).PARAMS
    return found


def _flag(param: Param) -> str:
    value = {Kind.BOOL: "[=true|false]", Kind.CHOICE: f"={'|'.join(param.choices)}"}.get(param.kind)
    name = f"<{param.name}>" if param.positional else f"--{param.name}{value or f'=<{param.kind}>'}"
    also = [f"--{alias}" for alias in param.aliases] + ([f"-{param.short}"] if param.short else [])
    example = f" Example: --{param.name}={param.example}" if param.example else ""
    spelled = f" (also {', '.join(also)})" if also else ""
    return f"- `{name}`{spelled}: {param.summary}{example}"


def _flag_data(param: Param) -> JSON:
    return {
        "name": param.name,
        "kind": str(param.kind),
        "summary": param.summary,
        "aliases": list(param.aliases),
        "choices": list(param.choices),
        "default": param.default,
        "positional": param.positional,
        "example": param.example,
    }


def _shown(params: tuple[Param, ...]) -> list[Param]:
    return [param for param in params if not param.hidden]


def _commands() -> Topic:
    lines, data = [], list[JSON]()
    for name, command in COMMANDS.items():
        if command.hidden:
            continue
        also = [alias for alias, target in ALIASES.items() if target == name]
        lines += [f"### llr {name}", "", command.summary + (f" Also: {', '.join(also)}." if also else ""), ""]
        params = _shown(params_of(name))
        lines += [*map(_flag, params), *([""] if params else [])]
        lines += [f"    {line}" for _, line in command.examples] + [""]
        flags: list[JSON] = [_flag_data(param) for param in params]
        data.append({"name": name, "summary": command.summary, "aliases": list(also), "flags": flags})
    return lines, data


def _flags() -> Topic:
    # One flag may mean something else to another command; what is told alike is told once.
    told: dict[tuple[str, str], tuple[Param, list[str]]] = {}

    def add(param: Param, user: str) -> None:
        if not param.positional:
            told.setdefault((param.name, _flag(param)), (param, []))[1].append(user)

    for name, command in COMMANDS.items():
        for param in () if command.hidden else _shown(params_of(name)):
            add(param, name)
    for row in OPERATIONS.values():
        for param in _shown(row.flags):
            add(param, f"config {row.name}")
    for param in GLOBAL_PARAMS:
        add(param, "every command")
    rows = sorted(told.items(), key=lambda item: item[0][0])
    lines = [f"{line} [{', '.join(users)}]" for (_, line), (_, users) in rows]
    data: list[JSON] = [{"flag": name, "of": [*users], "summary": param.summary} for (name, _), (param, users) in rows]
    return lines, data


def _operations() -> Topic:
    lines, data = [], list[JSON]()
    for row in OPERATIONS.values():
        also = f" Also: {', '.join(row.aliases)}." if row.aliases else ""
        lines += [f"### llr config {row.name}", "", row.summary + also, ""]
        params = _shown((CONFIG_PARAM, *row.flags))
        lines += [*map(_flag, params), "", *(f"    {line}" for _, line in row.examples), ""]
        flags: list[JSON] = [_flag_data(param) for param in params]
        data.append({"name": row.name, "summary": row.summary, "aliases": list(row.aliases), "flags": flags})
    return lines, data


def _environment() -> Topic:
    lines, data = [], list[JSON]()
    for knob in KNOBS.values():
        bounds = f", {knob.clamp}" if knob.clamp else ""
        also = f" Also: {', '.join(knob.also)}." if knob.also else ""
        file = f" In the file: `metadata.llr.routing.{knob.config_name}`." if knob.config else ""
        later = "" if knob.used else " Not used by this build."
        lines.append(
            f"- `{knob.name}` ({knob.kind}{bounds}; default {knob.default}): {knob.meaning}.{also}{file}{later}"
        )
        data.append({"name": knob.name, "kind": knob.kind, "default": knob.default, "meaning": knob.meaning})
    lines += [f"- `{names}`: {meaning}." for names, meaning in FOREIGN.items()]
    return lines, data


def _key_line(key: Key) -> str:
    also = f" Also: {', '.join(key.also)}." if key.also else ""
    default = f"; default {key.default}" if key.default else ""
    return f"- `{key.name}` ({key.type}{default}): {key.meaning}.{also}"


def _config() -> Topic:
    lines, data = [], list[JSON]()
    for kind, keys in KEYS.items():
        place = f"{kind.removesuffix('.llr')}, under `metadata.llr`" if kind.endswith(".llr") else kind
        lines += [f"### {place}", "", *map(_key_line, keys.values()), ""]
        listed: list[JSON] = [
            {"name": key.name, "type": key.type, "default": key.default, "meaning": key.meaning}
            for key in keys.values()
        ]
        data.append({"object": kind, "keys": listed})
    return lines, data


def _errors() -> Topic:
    tables: tuple[tuple[str, Mapping[str, str]], ...] = (
        ("Exit codes", {str(code): text for code, text in EXIT_CODES.items()}),
        ("Codes of commands (`error.code` of --json)", COMMAND_CODES),
        ("Codes of refused edits", EDIT_CODES),
        ("Codes of config issues (`llr config validate`)", ISSUE_CODES),
        ("Errors of the gateway", {f"{kind} ({STATUS[kind]})": text for kind, text in FAULT_CODES.items()}),
    )
    lines, data = [], list[JSON]()
    for heading, table in tables:
        lines += [f"### {heading}", "", *(f"- `{code}`: {text}" for code, text in table.items()), ""]
        listed: list[JSON] = [{"code": code, "meaning": text} for code, text in table.items()]
        data.append({"table": heading, "codes": listed})
    return lines, data


TOPICS: Mapping[str, tuple[str, Callable[[], Topic]]] = {
    "commands": ("Commands", _commands),
    "operations": ("Config operations", _operations),
    "flags": ("Flags", _flags),
    "environment": ("Environment variables", _environment),
    "config": ("Config keys", _config),
    "errors": ("Exit and error codes", _errors),
}


def reference(topic: str | None) -> tuple[str, dict[str, JSON]]:
    """Returns one topic, or all of them, as Markdown text and as JSON. Raises KeyError for an unknown topic."""
    names = [topic] if topic else list(TOPICS)
    parts, data = [], dict[str, JSON]()
    for name in names:
        title, build = TOPICS[name]
        lines, data[name] = build()
        parts.append("\n".join([f"## {title}", "", *lines]).rstrip())
    return "\n\n".join(parts), data
