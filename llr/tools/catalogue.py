"""Codex's model catalogue: one row per name of the gateway, with what is true of the models behind it.

Source of the shape: `codex debug models --bundled` of Codex CLI 0.169.
"""

from llr.base.jsonio import JSON
from llr.tools.routes import DEFAULT, Route, Routes

# What Codex itself assumes of a model it does not know.
UNKNOWN_WINDOW = 272_000
_EFFORTS = {
    "minimal": "Answers almost without reasoning",
    "low": "Reasons lightly, answers fast",
    "medium": "Balances speed and depth",
    "high": "Reasons deeply about hard problems",
    "xhigh": "Reasons as long as it takes",
}
_INSTRUCTIONS = (
    "You are Codex, a coding agent. You and the user share one workspace. Work on the task until it is done: read the "
    "code before you change it, use the tools you are given, and check your work before you report."
)


def catalogue(routes: Routes, bound: str) -> list[JSON]:
    """Returns the rows, sorted by name: every alias but `default`, every model, and the bound name whatever it is."""
    rows = {ref: route for ref, route in routes.by_ref.items() if ref != DEFAULT}
    if bound:
        rows[bound] = routes.find(bound) or Route(bound, "/" not in bound)
    return [_row(ref, rows[ref]) for ref in sorted(rows)]


def _row(ref: str, route: Route) -> JSON:
    efforts: list[JSON] = [{"effort": effort, "description": text} for effort, text in _EFFORTS.items()]
    modalities: list[JSON] = ["text", "image"] if route.images else ["text"]
    return {
        "slug": ref,
        "display_name": ref,
        "description": description(ref, route),
        "default_reasoning_level": "medium" if route.reasoning else None,
        "supported_reasoning_levels": efforts if route.reasoning else [],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 0,
        "upgrade": None,
        "base_instructions": _INSTRUCTIONS,
        "supports_reasoning_summaries": route.reasoning,
        "default_reasoning_summary": "auto" if route.reasoning else "none",
        "support_verbosity": True,
        "default_verbosity": "low",
        "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "context_window": route.context_window or UNKNOWN_WINDOW,
        "max_context_window": route.context_window or UNKNOWN_WINDOW,
        "effective_context_window_percent": 95,
        "experimental_supported_tools": [],
        "input_modalities": modalities,
        "prefer_websockets": False,
    }


def description(ref: str, route: Route) -> str:
    """Returns where a name leads, in a sentence."""
    if route.alias:
        parts = [f"Routes to {', '.join(route.targets)}"] if route.targets else []
        parts += [f"fallbacks {', '.join(route.fallbacks)}"] if route.fallbacks else []
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}." if text else f"LLM Router alias '{ref}'."
    tail = f" with fallbacks {', '.join(route.fallbacks)}" if route.fallbacks else ""
    provider, model = route.provider or ref.partition("/")[0], route.model or ref.partition("/")[2]
    return f"LLM Router route to {provider} model '{model}'{tail}."
