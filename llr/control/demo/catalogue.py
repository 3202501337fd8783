"""Model lists in the three vendors' shapes, and embeddings."""

import base64
import hashlib
import struct

from llr.base.jsonio import JSON
from llr.control.demo.turn import MODELS, BadRequest, Object, items, tokens

# When the demo's models came out, for lists that want a date.
RELEASED_AT = 1_767_225_600
RELEASED = "2026-01-01T00:00:00Z"
DIMENSIONS = 64
MAX_DIMENSIONS = 4096


def openai_model(model: str) -> Object:
    """Returns one model as OpenAI describes it."""
    return {"id": model, "object": "model", "created": RELEASED_AT, "owned_by": "llr-demo"}


def anthropic_model(model: str) -> Object:
    """Returns one model as Anthropic describes it."""
    named: Object = {"type": "model", "id": model, "display_name": f"Demo: {MODELS[model]}", "created_at": RELEASED}
    return named | {"lifecycle": "active", "max_input_tokens": 200_000, "max_tokens": 8_192}


def gemini_model(model: str) -> Object:
    """Returns one model as Google describes it."""
    return {
        "name": f"models/{model}",
        "version": "1",
        "displayName": f"Demo {model}",
        "description": MODELS[model],
        "inputTokenLimit": 200_000,
        "outputTokenLimit": 8_192,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
        "thinking": model == "thinking",
    }


def openai_list() -> Object:
    """Returns all models as OpenAI lists them."""
    return {"object": "list", "data": [openai_model(model) for model in MODELS]}


def anthropic_list() -> Object:
    """Returns all models as Anthropic lists them."""
    listed: list[JSON] = [anthropic_model(model) for model in MODELS]
    ids = list(MODELS)
    return {"data": listed, "has_more": False, "first_id": ids[0], "last_id": ids[-1]}


def gemini_list() -> Object:
    """Returns all models as Google lists them."""
    return {"models": [gemini_model(model) for model in MODELS]}


def embeddings(body: Object, model: str) -> Object:
    """Returns one vector per input, the same for the same text. Raises `BadRequest`."""
    given = body.get("input")
    if given is None:
        raise BadRequest("Missing required parameter: 'input'.")
    # One text, or one list of token ids, is one input; a list of either is many.
    one = isinstance(given, str) or all(isinstance(part, int) for part in items(given))
    inputs: list[JSON] = [given] if one else items(given)
    wanted = body.get("dimensions")
    size = wanted if isinstance(wanted, int) and 0 < wanted <= MAX_DIMENSIONS else DIMENSIONS
    as_text = body.get("encoding_format") == "base64"
    data: list[JSON] = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if as_text else [*vector]}
        for index, vector in enumerate(_vector(str(text), size) for text in inputs)
    ]
    cost = sum(tokens(str(text)) for text in inputs)
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": cost, "total_tokens": cost},
    }


def _vector(text: str, size: int) -> list[float]:
    """Returns a vector of length 1 made from a hash: near texts are not near, but equal texts are equal."""
    raw = hashlib.shake_256(text.encode()).digest(size)
    numbers = [byte / 127.5 - 1.0 for byte in raw]
    length = sum(number * number for number in numbers) ** 0.5 or 1.0
    return [round(number / length, 7) for number in numbers]


def _packed(vector: list[float]) -> str:
    """Returns the vector as base64 of little-endian 32-bit floats, which the OpenAI client asks for by default."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
