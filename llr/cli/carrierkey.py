"""The key that signs thinking and reasoning carriers: a private file beside the config, made on first use."""

import os
import secrets

from llr.control.configfile import beside

FILE = ".llr-carrier.key"
KEY_BYTES = 32
# The demo signs nothing that is worth forging, and writes no file.
DEMO_KEY = b"llr demo: nothing here is secret"


def key_path(config_path: str, named: str | None) -> str:
    """Returns where the key lies: as the config names it, else beside the config."""
    return beside(config_path, named or FILE)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read(4096).strip()
    if len(data) < KEY_BYTES:
        raise OSError(f"{path} holds no key: at least {KEY_BYTES} characters are needed")
    return data


def load_or_make(path: str) -> bytes:
    """Returns the key, made and kept with mode 0600 when there is none. Raises OSError."""
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    key = secrets.token_hex(KEY_BYTES).encode("ascii")
    temporary = f"{path}.{os.getpid()}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key + b"\n")
        # link, not rename: of two processes that make a key at once the first one wins.
        os.link(temporary, path)
    except FileExistsError:
        return _read(path)
    finally:
        os.unlink(temporary)
    return key
