"""Same format on both ends: the few things that must change in a body that is otherwise handed on as it is.

Law: a body nothing applies to comes back as the same object; what is not named here is never touched.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llr.base.names import FormatId
from llr.formats import carrier
from llr.formats.base import Target
from llr.formats.effort import body_effort, clamp, openai_efforts, plan_thinking
from llr.formats.fields import NO_SIGNATURE
from llr.formats.models_rules import messages_rules
from llr.formats.reading import integer, rows, table, tables, text
from llr.formats.tool_names import RULES
from llr.ir.parts import Seal
from llr.ir.request import Thinking

Body = dict[str, Any]
# What `b in payload` finds when a body may hold carriers, or citations of others: without one nothing is opened.
CARRIER_SIGNS = (carrier.PREFIX.encode(), carrier.BASE64_SIGN.encode(), b'"encrypted_index"')


class Opener:
    """Decides about one signature at a time: kept, replaced by what its carrier holds, or dropped."""

    def __init__(self, own: FormatId, issuer: str, keys: tuple[bytes, ...]) -> None:
        self._own = own
        self._issuer = issuer
        self._keys = keys

    def __call__(self, signature: Any) -> Any:
        """Returns the signature to send, None to drop what it belongs to."""
        if not isinstance(signature, str) or not carrier.is_carrier(signature):
            return signature
        seal: Seal | None = carrier.unpack(signature, self._keys)
        return seal.data if seal is not None and carrier.fits(seal, self._own, self._issuer) else None


def _opened_messages(body: Body, opener: Opener) -> Body:
    out: list[Any] = []
    for message in rows(body.get("messages")):
        content = table(message).get("content")
        if not isinstance(content, list):
            out.append(message)
            continue
        blocks = [made for block in content if (made := _opened_block(block, opener)) is not None]
        if blocks or not content:
            out.append({**message, "content": blocks})
    return {**body, "messages": out}


def _opened_block(block: Any, opener: Opener) -> Any:
    given = table(block)
    if isinstance(given.get("citations"), list):
        return _own_citations(block)
    field = {"thinking": "signature", "redacted_thinking": "data"}.get(text(given.get("type")))
    if field is None or field not in given:
        return block
    opened = opener(given[field])
    return {**block, field: opened} if isinstance(opened, str) else None


def _own_citations(block: Any) -> Any:
    """Returns a text without the citations of other vendors' answers: without an index of its own it is refused."""
    kept = [each for each in block["citations"] if table(each).get("encrypted_index", True)]
    if len(kept) == len(block["citations"]):
        return block
    rest = {key: value for key, value in block.items() if key != "citations"}
    return {**rest, "citations": kept} if kept else rest


def _opened_chat(body: Body, opener: Opener) -> Body:
    out = []
    for message in rows(body.get("messages")):
        if isinstance(message, dict) and isinstance(message.get("thinking_blocks"), list):
            blocks = [
                made for block in message["thinking_blocks"] if (made := _opened_block(block, opener)) is not None
            ]
            message = {**message, "thinking_blocks": blocks}
            if not blocks:
                del message["thinking_blocks"]
        calls = [_opened_call(call, opener) for call in rows(table(message).get("tool_calls"))]
        out.append({**message, "tool_calls": calls} if calls else message)
    return {**body, "messages": out}


def _opened_call(call: Any, opener: Opener) -> Any:
    signature = table(table(table(call).get("extra_content")).get("google")).get("thought_signature")
    if not isinstance(signature, str):
        return call
    opened = opener(signature)
    if isinstance(opened, str):
        return {**call, "extra_content": {"google": {"thought_signature": opened}}}
    return {key: value for key, value in call.items() if key != "extra_content"}


def _opened_responses(body: Body, opener: Opener) -> Body:
    if not isinstance(body.get("input"), list):
        return body
    items = []
    for item in body["input"]:
        sealed = table(item).get("encrypted_content")
        if isinstance(sealed, str) and carrier.is_carrier(sealed):
            opened = opener(sealed)
            if isinstance(opened, dict):
                item = {**item, **opened}
            elif isinstance(opened, str):
                item = {**item, "encrypted_content": opened}
            else:
                continue
        items.append(item)
    return {**body, "input": items}


def _opened_gemini(body: Body, opener: Opener) -> Body:
    contents = []
    for content in rows(body.get("contents")):
        parts = [_opened_part(part, opener) for part in rows(table(content).get("parts"))]
        contents.append({**content, "parts": parts} if parts else content)
    return {**body, "contents": contents}


def _opened_part(part: Any, opener: Opener) -> Any:
    for field in ("thoughtSignature", "thought_signature"):
        signature = table(part).get(field)
        if isinstance(signature, str):
            opened = opener(signature)
            if isinstance(opened, str):
                return {**part, field: opened}
            if "functionCall" in part or "function_call" in part:
                return {**part, field: NO_SIGNATURE}
            return {key: value for key, value in part.items() if key != field}
    return part


_OPENERS: Mapping[FormatId, Callable[[Body, Opener], Body]] = {
    FormatId.MESSAGES: _opened_messages,
    FormatId.CHAT: _opened_chat,
    FormatId.RESPONSES: _opened_responses,
    FormatId.GEMINI: _opened_gemini,
}


def may_hold_carriers(payload: bytes) -> bool:
    """Returns whether a raw body may hold a carrier: a quick look that finds too much, never too little."""
    return any(sign in payload for sign in CARRIER_SIGNS)


def open_carriers(body: Body, own: FormatId, target: Target, keys: tuple[bytes, ...]) -> Body:
    """Returns `body` with carriers of this vendor unpacked and those of others dropped with their thinking."""
    opener = _OPENERS.get(own)
    if opener is None:
        return body
    opened = opener(body, Opener(own, target.issuer, keys))
    return body if opened == body else opened


def apply_effort(body: Body, own: FormatId, target: Target, asked: str) -> Body:
    """Returns `body` with the effort its client asked for in a header, and thinking in a form the model takes."""
    if own is FormatId.MESSAGES:
        return _messages_effort(body, target, asked)
    if own is FormatId.CHAT and asked and not body_effort(body):
        effort = clamp(asked, openai_efforts(target.model))
        nested = target.capabilities.get("reasoningStyle") == "nested"
        return {**body, "reasoning": {"effort": effort}} if nested else {**body, "reasoning_effort": effort}
    if own is FormatId.RESPONSES and asked and not body_effort(body):
        effort = clamp(asked, openai_efforts(target.model))
        return {**body, "reasoning": {**table(body.get("reasoning")), "effort": effort}}
    return body


def _messages_effort(body: Body, target: Target, asked: str) -> Body:
    rules = messages_rules(target.model, target.capabilities, target.learned)
    if target.capabilities.get("supportsThinking") is False:
        return body
    own = body.get("thinking")
    config = table(body.get("output_config"))
    named = body_effort(body)
    limit = integer(body.get("max_tokens")) or 0
    if not isinstance(own, dict):
        if not asked or named or not limit:
            return body
        plan = plan_thinking(Thinking("", asked), limit, rules, own=None, limit=target.max_output_tokens)
    elif rules.known:
        budget = integer(own.get("budget_tokens"))
        thinking = Thinking(text(own.get("type")), named or asked, budget)
        plan = plan_thinking(thinking, limit, rules, own=own, limit=target.max_output_tokens)
    else:
        return body
    out = dict(body)
    if plan.thinking is None:
        out.pop("thinking", None)
    else:
        out["thinking"] = plan.thinking
    if plan.max_tokens:
        out["max_tokens"] = plan.max_tokens
    if plan.effort:
        out["output_config"] = {**config, "effort": plan.effort}
    elif rules.known and "effort" in config and not rules.effort_api:
        left = {key: value for key, value in config.items() if key != "effort"}
        out.pop("output_config")
        out |= {"output_config": left} if left else {}
    return body if out == body else out


def names_refused(body: Body, own: FormatId) -> bool:
    """Returns whether a tool's name is one this format refuses: such a request must be translated, not relayed."""
    rule = RULES.get(own)
    if rule is None or own is FormatId.GEMINI:
        return False
    for _, tool in tables(body.get("tools")):
        name = text(table(tool.get("function")).get("name")) or text(tool.get("name"))
        if name and (len(name) > rule.longest or rule.illegal.search(name)):
            return True
    return False
