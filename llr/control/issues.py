"""Config issues as lines of text and as JSON, one wording everywhere."""

import json
import re
from collections.abc import Iterable, Mapping

from llr.base.jsonio import JSON
from llr.config.schema import Config, Issue, Level


def line(issue: Issue) -> str:
    """Returns the issue on one line: path, message, hint."""
    level = "" if issue.level is Level.ERROR else f"{issue.level}: "
    hint = f" ({issue.hint})" if issue.hint else ""
    return f"{level}{issue.path}: {issue.message}{hint}"


_STEP = re.compile(r'\.([^.\[]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def pointer(path: str) -> str:
    """Returns a path such as `$.providers[1].baseUrl` as a JSON pointer (RFC 6901), "" for the root."""
    steps = (plain or index or json.loads(quoted) for plain, index, quoted in _STEP.findall(path))
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def to_json(issue: Issue) -> dict[str, JSON]:
    """Returns the issue as JSON."""
    return {
        "path": issue.path,
        "pointer": pointer(issue.path),
        "code": issue.code,
        "level": str(issue.level),
        "message": issue.message,
        "hint": issue.hint,
    }


def all_json(issues: Iterable[Issue]) -> list[JSON]:
    """Returns the issues as JSON, in document order."""
    return [to_json(issue) for issue in issues]


def unset_variables(config: Config | None, env: Mapping[str, str]) -> list[str]:
    """Returns the `apiKeyEnv` names that are not set and needed, once each, in document order."""
    if config is None:
        return []
    named = [provider.api_key_env for provider in config.providers if not provider.api_key and provider.api_key_env]
    return list(dict.fromkeys(name for name in named if not env.get(name)))
