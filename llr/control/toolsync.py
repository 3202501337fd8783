"""When wired tools are brought up to date: after a save, after an undo, and when a gateway starts elsewhere.

Law: whatever goes wrong here is a line in a report; the save or start that led to it has already succeeded.
"""

from collections.abc import Mapping

from llr.config.schema import Config, Doc, Parsed
from llr.control.call import Call
from llr.control.configfile import Loaded
from llr.daemon import instance, ports
from llr.tools.endpoint import normalized


def configured_origin(config: Config | None, env: Mapping[str, str]) -> str:
    """Returns where a gateway with this config would listen."""
    address = ports.expected(config, env)
    return normalized(instance.origin(address.host, address.port))


def after_save(
    call: Call, operation: str, path: str, docs: tuple[Doc, Doc], parsed: tuple[Parsed, Parsed]
) -> list[str]:
    """Returns a line for each tool that followed a saved change. `operation` "" compares the versions."""
    from llr.control.toolwiring import Moved, propagate, renames_of

    before, after = parsed[0].config, parsed[1].config
    words = (call.args.text("provider_id") or "", call.args.text("model") or "", call.args.text("new_id") or "")
    if operation == "rename-model-alias":
        words = ("", call.args.text("alias_id") or "", words[2])
    addresses = (configured_origin(before, call.env), configured_origin(after, call.env))
    renames = renames_of(operation, words, *docs)
    return propagate(Moved(before, after, addresses, renames), config=path, env=call.env)


def after_reload(before: Loaded, after: Loaded, env: Mapping[str, str]) -> list[str]:
    """Returns a line for each tool that followed a file that somebody changed by hand while a gateway served it."""
    from llr.control.toolwiring import Moved, propagate, renames_of

    old, new = before.parsed.config, after.parsed.config
    addresses = (configured_origin(old, env), configured_origin(new, env))
    renames = renames_of("", ("", "", ""), before.doc, after.doc)
    return propagate(Moved(old, new, addresses, renames), config=after.path, env=env)


def after_start(config: Config, path: str, origin: str, env: Mapping[str, str]) -> list[str]:
    """Returns a line for each tool of this config that was told another address of this machine than `origin`."""
    from llr.control import toolmemory
    from llr.control.toolwiring import Moved, propagate

    lines: list[str] = []
    told = {one.origin for one in toolmemory.read(env).wired.values() if one.config == path}
    for old in sorted(told - {origin}):
        if old.startswith("http://127.0.0.1"):
            lines += propagate(Moved(config, config, (old, origin)), config=path, env=env)
    return lines
