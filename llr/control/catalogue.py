"""The catalogue of models as operations and a starting gateway see it: the shipped one under the user's own file.

Law: the file is written only by an explicit refresh, and nothing is ever fetched but the address that a user typed.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from llr.base.errors import GatewayError
from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.config.schema import Config
from llr.control.disk import SystemDisk
from llr.control.report import FAILED, Refused, refuse
from llr.providers.models import Catalogue, Match, ModelFacts, builtin, own_form, read_public
from llr.providers.windows import lacks_windows, with_known_windows

# LiteLLM's file is 3.5 MB.
MOST_BYTES = 64 * 1024 * 1024
_PATIENCE_S = 60.0


def user_path(config_path: str) -> str:
    """Returns where the user's catalogue lies: beside the config, `.models.json` in place of `.json`."""
    return f"{config_path.removesuffix('.json')}.models.json"


def load(config_path: str) -> Catalogue:
    """Returns the shipped catalogue, under the user's own one where there is one.

    Raises `Refused` for a file that cannot be read.
    """
    path = user_path(config_path)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return builtin()
    except OSError as exc:
        raise refuse("catalogue", f"{path}: {exc.strerror}.", exit_code=FAILED) from exc
    return Catalogue(_entries(data, path)).over(builtin())


def load_or_builtin(config_path: str) -> tuple[Catalogue, str]:
    """Returns the catalogue and what is wrong with the user's file, "" for nothing: no reason not to serve."""
    try:
        return load(config_path), ""
    except Refused as exc:
        return builtin(), str(exc)


def with_windows(config: Config, config_path: str) -> tuple[Config, str]:
    """Returns the config with the context windows that only the catalogue knows, and what is wrong with its file."""
    if not lacks_windows(config):
        return config, ""
    catalogue, wrong = load_or_builtin(config_path) if config_path else (builtin(), "")
    return with_known_windows(config, catalogue), wrong


def lookup(name: str, limit: int, config_path: str = "") -> Match:
    """Returns what is known of a model, and at most `limit` models with names like it."""
    return (load(config_path) if config_path else builtin()).match(name, limit)


def _entries(data: bytes, source: str) -> list[ModelFacts]:
    if len(data) > MOST_BYTES:
        raise refuse("catalogue", f"{source} is larger than {MOST_BYTES:,} bytes.", exit_code=FAILED)
    try:
        found = read_public(json.loads(data))
    except (ValueError, RecursionError) as exc:
        raise refuse("catalogue", f"{source} is no model catalogue: {exc}.", exit_code=FAILED) from exc
    kept = [one for one in found if one.context_window or one.input_price is not None]
    if not kept:
        text = f"{source} holds no model with a context window or a price."
        fix = "Known forms: LiteLLM's model_prices_and_context_window.json, OpenRouter's /api/v1/models, our own."
        raise refuse("catalogue", text, fix, exit_code=FAILED)
    return kept


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: the file written, how many models it holds, how many of them the shipped one lacks."""

    path: str
    models: int
    new: int


async def refresh(source: str, config_path: str, env: Mapping[str, str]) -> Refreshed:
    """Returns after the user's catalogue was written from a file, or from the http(s) address that was named.

    Raises `Refused` when the source cannot be had or is no catalogue.
    """
    import asyncio  # most operations only look things up

    scheme = urlsplit(source).scheme.lower()
    data = await _fetched(source, env) if scheme in ("http", "https") else await asyncio.to_thread(_read, source)
    entries = Catalogue(_entries(data, source)).all()
    path, form = user_path(config_path), own_form(entries)
    text = json.dumps({**_object(form), "source": source.partition("?")[0]}, ensure_ascii=False, indent=0)
    await asyncio.to_thread(_write, path, text.encode("utf-8") + b"\n")
    return Refreshed(path, len(entries), sum(builtin().lookup(one.id) is None for one in entries))


def _write(path: str, data: bytes) -> None:
    """Writes the file whole or not at all."""
    disk = SystemDisk()
    part = f"{path}.{disk.token()}"
    try:
        disk.make_folder(os.path.dirname(path) or ".")
        disk.write_new(part, data)
        disk.replace(part, path)
    except OSError as exc:
        with suppress(OSError):
            disk.remove(part)
        raise refuse("catalogue", f"{path}: {exc.strerror}.", exit_code=FAILED) from exc


def _object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _read(source: str) -> bytes:
    try:
        with open(os.path.expanduser(source), "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as exc:
        raise refuse("catalogue", f"{source}: {exc.strerror}.", exit_code=FAILED) from exc


async def _fetched(source: str, env: Mapping[str, str]) -> bytes:
    """Returns the body at an address. No credential is sent, no redirect followed."""
    from llr.control.probe.ask import Asker, address_of
    from llr.net.client import Client

    client = Client(env)
    try:
        where = address_of(source)
        reply = await Asker(client, most_bytes=MOST_BYTES).call("GET", where, [], timeout_s=_PATIENCE_S)
    except GatewayError as exc:
        raise refuse("catalogue", f"{source}: {exc.fault.message}.", exit_code=FAILED) from exc
    finally:
        await client.aclose()
    if reply.error or reply.status != 200:
        reason = reply.error or f"it answered {reply.status}"
        moved = f" (moved to {reply.location})" if reply.location else ""
        raise refuse("catalogue", f"{source}: {reason}{moved}.", exit_code=FAILED)
    return reply.body
