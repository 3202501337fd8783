"""Tools one format has and another lacks, as plain functions, and the way back.

Law: what `wrapped` packs, `unwrapped` gives back.
"""

from collections.abc import Mapping
from typing import Any

from llr.base.jsonio import InvalidJSON, dumps_text, loads
from llr.base.names import FormatId
from llr.base.records import replace
from llr.ir.loss import Loss, LossLevel
from llr.ir.parts import ToolKind
from llr.ir.request import ServerTool, Tool

# Why a hosted tool, or the choice of a tool, is lost.
NAME_TAKEN = "another tool has this name, which must come once"
NOT_SENT = "the chosen tool is not among those the model gets"
# The one argument of a free-text tool where a target only has functions.
INPUT = "input"


def _object(required: tuple[str, ...], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


_STRINGS = {"type": "array", "items": {"type": "string"}}
_WHOLE = {"type": "integer"}
# The vendor's documented arguments of these built-in tools (OpenAI "Shell", "Local shell" and "Apply patch" guides).
_ITEM_TOOLS: Mapping[ToolKind, tuple[str, dict[str, Any]]] = {
    ToolKind.LOCAL_SHELL: (
        "Runs a command on the user's machine and returns its output.",
        _object(
            ("command",),
            command=_STRINGS,
            workdir=_text("Directory to run in."),
            timeout_ms=_WHOLE,
            env={"type": "object", "additionalProperties": {"type": "string"}},
        ),
    ),
    ToolKind.SHELL: (
        "Runs shell commands and returns their output.",
        _object(("commands",), commands=_STRINGS, timeout_ms=_WHOLE, max_output_length=_WHOLE),
    ),
    ToolKind.APPLY_PATCH: (
        "Creates, changes or deletes one file. `diff` is in V4A form; it is absent for delete_file.",
        _object(
            ("type", "path"),
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path=_text("Path of the file."),
            diff=_text("The V4A diff."),
        ),
    ),
}
# Client-run tools of the Messages vendor, by type prefix: documented name, description, arguments.
_MESSAGES_TOOLS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "bash_",
        "bash",
        "Runs a command in a persistent bash session; `restart` starts the session anew.",
        {"type": "object", "properties": {"command": _text("The command."), "restart": {"type": "boolean"}}},
    ),
    (
        "text_editor_",
        "str_replace_based_edit_tool",
        "Views and edits text files: view, create, str_replace, insert.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
                "path": _text("Absolute path."),
                "file_text": _text("Content of a file to create."),
                "old_str": _text("Text to replace; must occur once."),
                "new_str": _text("Text to put there."),
                "insert_line": _WHOLE,
                "insert_text": _text("Text to insert after that line."),
                "view_range": {"type": "array", "items": _WHOLE},
            },
            "required": ["command", "path"],
        },
    ),
    (
        "memory_",
        "memory",
        "Keeps notes in files under /memories: view, create, str_replace, insert, delete, rename.",
        {
            "type": "object",
            "properties": {
                "command": {
                    "type": "string",
                    "enum": ["view", "create", "str_replace", "insert", "delete", "rename"],
                },
                "path": _text("Path under /memories."),
                "file_text": _text("Content of a file to create."),
                "old_str": _text("Text to replace."),
                "new_str": _text("Text to put there."),
                "insert_line": _WHOLE,
                "insert_text": _text("Text to insert after that line."),
                "old_path": _text("Path to rename from."),
                "new_path": _text("Path to rename to."),
                "view_range": {"type": "array", "items": _WHOLE},
            },
            "required": ["command"],
        },
    ),
    (
        "computer_",
        "computer",
        "Controls the screen, mouse and keyboard; screenshots come back as images.",
        {
            "type": "object",
            "properties": {
                "action": _text(
                    "screenshot, left_click, right_click, double_click, mouse_move, type, key, scroll, ..."
                ),
                "coordinate": {"type": "array", "items": _WHOLE},
                "text": _text("Text to type or keys to press."),
                "scroll_direction": {"type": "string", "enum": ["up", "down", "left", "right"]},
                "scroll_amount": _WHOLE,
                "duration": {"type": "number"},
            },
            "required": ["action"],
        },
    ),
)
_SEARCH = Tool(
    "web_search",
    "Search the web for current information and return the results that matter.",
    _object(("query",), query=_text("What to search for.")),
)


def search_losses(tool: ServerTool, names: tuple[str, ...]) -> list[Loss]:
    """Returns a loss for each of the search options `names` that is set, and for those of Google's search."""
    inner = tool.raw.get(tool.type)
    options = {**{name: tool.raw.get(name) for name in names}, **(inner if isinstance(inner, dict) else {})}
    why = "the search there takes no such option"
    return [Loss(f"{tool.at}.{name}", name, why, LossLevel.SILENT) for name, value in options.items() if value]


def function_form(tool: Tool) -> Tool:
    """Returns `tool` as a function: free-text tools get one string argument, shells and patches the documented ones."""
    if tool.kind is ToolKind.FUNCTION:
        return tool
    if tool.kind is ToolKind.CUSTOM:
        return replace(
            tool,
            kind=ToolKind.FUNCTION,
            description=_with_grammar(tool),
            parameters=_object((INPUT,), input=_text("The tool's whole input as text.")),
            strict=None,
            format=None,
        )
    description, parameters = _ITEM_TOOLS[tool.kind]
    return replace(
        tool,
        kind=ToolKind.FUNCTION,
        name=tool.name or tool.kind.value,
        description=tool.description or description,
        parameters=tool.parameters or parameters,
        strict=None,
        format=None,
    )


def _with_grammar(tool: Tool) -> str:
    grammar = tool.format if isinstance(tool.format, dict) else {}
    inner = grammar.get("grammar")
    if isinstance(inner, dict):
        grammar = inner
    definition = grammar.get("definition")
    if not isinstance(definition, str) or not definition:
        return tool.description
    lines = f"The input must follow this {grammar.get('syntax', 'lark')} grammar:\n{definition}"
    return f"{tool.description}\n\n{lines}" if tool.description else lines


def client_tool(tool: ServerTool) -> Tool | None:
    """Returns a client-run tool of the Messages vendor as a function, None when only the vendor can run it."""
    if tool.format is not FormatId.MESSAGES:
        return None
    for prefix, name, description, parameters in _MESSAGES_TOOLS:
        if tool.type.startswith(prefix) and not tool.type.endswith("toolset"):
            given = tool.raw.get("name")
            return Tool(given if isinstance(given, str) and given else name, description, parameters, at=tool.at)
    return None


def search_function(tool: ServerTool) -> Tool:
    """Returns a hosted web search as a function `web_search(query)`, for targets that have none of their own."""
    given, said = tool.raw.get("name"), tool.raw.get("description")
    return replace(
        _SEARCH,
        name=given if isinstance(given, str) and given else _SEARCH.name,
        description=said if isinstance(said, str) and said else _SEARCH.description,
        at=tool.at,
    )


def wrapped(arguments: str, kind: ToolKind) -> str:
    """Returns the arguments of a call of this kind as JSON text for a function call."""
    return dumps_text({INPUT: arguments}) if kind is ToolKind.CUSTOM else arguments


def unwrapped(arguments: str, kind: ToolKind) -> str:
    """Returns the arguments as a tool of this kind takes them; what was not wrapped as expected stays as it is."""
    if kind is not ToolKind.CUSTOM:
        return arguments
    try:
        value = loads(arguments.encode("utf-8", "surrogatepass")) if arguments else None
    except InvalidJSON:
        return arguments
    if isinstance(value, dict) and isinstance(value.get(INPUT), str):
        return str(value[INPUT])
    return arguments


def arguments_object(arguments: str) -> tuple[dict[str, Any], bool]:
    """Returns a call's arguments as an object, and whether they were one: unparsable ones become {}.

    A value that is no object is kept under `value`.
    """
    if not arguments:
        return {}, True
    try:
        value = loads(arguments.encode("utf-8", "surrogatepass"))
    except InvalidJSON:
        return {}, False
    if isinstance(value, dict):
        return value, True
    return ({} if value is None else {"value": value}), value is None
