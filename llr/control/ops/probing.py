"""The probe before a provider is saved: what it asks, and what to say when its answer is incomplete."""

from collections.abc import Mapping
from typing import Any

from llr.config.locate import find_provider, get
from llr.config.schema import Doc
from llr.control import configfile
from llr.control.call import Args, Call
from llr.control.ops.provider_input import Input, parse_headers, probe_rpm
from llr.control.probe.question import Question
from llr.control.report import FAILED, Problem, Refused, refuse

_INSTEAD = "Use --skip-probe=true with explicit --models and --format (or --openai-base-url and --claude-base-url)."


async def probe_input(found: Input, doc: Doc, call: Call) -> Mapping[str, Any] | None:
    """Returns the result of probing what is about to be saved, None to save what the flags say in spite of it.

    Raises `Refused` with 1 for an incomplete result that nobody confirmed.
    """
    from llr.control.probe import run  # loads the network

    entry = find_provider(doc, found.id) or {}
    key = key_of(found.given, entry, call)
    headers = found.given.get("headers")
    question = Question(
        found.endpoints or endpoints_of(entry),
        key,
        found.models,
        headers if isinstance(headers, dict) else {},
        probe_rpm(call.args),
        call.env,
        call.args.flag("allow_plain_http"),
        **_ways(entry, call),
    )
    result = await run.examine(question, call.progress)
    problem = _problem(result)
    if problem is None:
        return result
    if call.confirm is not None and call.confirm(f"{problem.message} Save what you typed anyway?"):
        return None
    raise Refused(problem, FAILED)


def _problem(result: Mapping[str, Any]) -> Problem | None:
    """Returns what a probe failed at or left open, None for a complete one."""
    scope = result.get("failureScope")
    if scope == "full" or not result.get("ok"):
        warnings = result.get("warnings") or ("",)
        text = "Auto-discovery failed: no endpoint answered with this key and these models."
        return Problem("probe-failed", f"{text} {warnings[0]}".rstrip(), _INSTEAD)
    unresolved = result.get("unresolvedModels") or ()
    if scope == "partial" or unresolved:
        named = f" Not confirmed: {', '.join(map(str, unresolved))}." if unresolved else ""
        return Problem("probe-incomplete", f"Auto-discovery is incomplete.{named}", _INSTEAD)
    return None


def endpoints_of(entry: Doc) -> tuple[str, ...]:
    """Returns the addresses of a saved provider, each once."""
    by_format = get(entry, "provider", "baseUrlByFormat")
    listed = [get(entry, "provider", "baseUrl"), *(by_format.values() if isinstance(by_format, dict) else ())]
    return tuple(dict.fromkeys(str(one) for one in listed if one))


def key_of(given: Doc, entry: Doc, call: Call) -> str:
    """Returns the key to ask with, "" where none is used. Raises `Refused` for a variable that is not set."""
    literal = given.get("apiKey")
    if isinstance(literal, str) and literal:
        return literal
    name = given.get("apiKeyEnv")
    if not name:
        stored = get(entry, "provider", "apiKey")
        if isinstance(stored, str) and stored:
            return stored
        name = get(entry, "provider", "apiKeyEnv")
    if not isinstance(name, str) or not name:
        return ""
    value = call.env.get(name)
    if not value:
        fix = f"`export {name}=…` first; saving a provider works without it and unprobed: --skip-probe."
        raise refuse("env-unset", f"Environment variable '{name}' is not set.", fix)
    return value


def question_of(call: Call, doc: Doc, endpoints: tuple[str, ...]) -> Question:
    """Returns the question of a diagnostic operation: flags first, a saved provider's values for the rest."""
    args: Args = call.args
    own = args.text("provider_id")
    entry: Doc = {}
    if own:
        found = find_provider(doc, own)
        if found is None:
            raise refuse("provider-not-found", f"Provider '{own}' not found.", "See `llr config list`.")
        entry = found
    asked = endpoints or endpoints_of(entry)
    if not asked:
        raise refuse("missing-flag", "endpoints is required.", "Or name a saved provider: --provider-id=….")
    given: Doc = {"apiKey": args.text("api_key"), "apiKeyEnv": args.text("api_key_env")}
    key = key_of(given, entry, call)
    auth = get(entry, "provider", "auth")
    keyless = isinstance(auth, dict) and auth.get("type") == "none"
    if not key and not keyless:
        raise refuse("missing-flag", "api-key or api-key-env is required.", "Or a saved provider: --provider-id=….")
    stored = get(entry, "provider", "headers")
    typed = args.text("headers")
    headers = parse_headers(typed) if typed is not None else (stored if isinstance(stored, dict) else {})
    return Question(
        asked, key, (), headers, probe_rpm(args), call.env, args.flag("allow_plain_http"), **_ways(entry, call)
    )


def _ways(entry: Doc, call: Call) -> dict[str, Any]:
    """Returns the provider's own proxy and CA file, where it has them."""
    metadata = get(entry, "provider", "metadata")
    own = metadata.get("llr") if isinstance(metadata, dict) else None
    ways = own if isinstance(own, dict) else {}
    ca_file = ways.get("caFile")
    if isinstance(ca_file, str) and ca_file:
        ca_file = configfile.beside(configfile.resolve_path(call.config_path), ca_file)
    named = {"proxy": ways.get("proxy"), "ca_file": ca_file}
    return {name: value for name, value in named.items() if isinstance(value, str) and value}
