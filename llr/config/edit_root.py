"""Edits of the root: master key and how the gateway listens."""

from llr.base.jsonio import JSON
from llr.config.document import clone_object
from llr.config.edit_result import Edit
from llr.config.locate import EditError, object_member, put
from llr.config.schema import Doc

_LOCAL_DEFAULTS: dict[str, JSON] = {"watchConfig": True, "watchBinary": True, "requireAuth": False}


def set_master_key(doc: Doc, key: str) -> Edit:
    """Returns the document with this master key. Raises `EditError` for an empty one."""
    if not key:
        raise EditError("master-key", "master-key is required.")
    found = clone_object(doc)
    put(found, "root", "masterKey", key)
    return Edit(found, ("master key changed",))


def set_local_server(
    doc: Doc,
    *,
    watch_config: bool | None = None,
    watch_binary: bool | None = None,
    require_auth: bool | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Edit:
    """Returns the document with these start-up settings; None keeps a setting, a default value is not written."""
    given: dict[str, JSON] = {
        "watchConfig": watch_config,
        "watchBinary": watch_binary,
        "requireAuth": require_auth,
        "host": host,
        "port": port,
    }
    found = clone_object(doc)
    metadata = object_member(found, "metadata")
    local = object_member(metadata, "localServer")
    changes = []
    for name, value in given.items():
        if value is None or local.get(name, _LOCAL_DEFAULTS.get(name)) == value:
            continue
        if value == _LOCAL_DEFAULTS.get(name):
            local.pop(name, None)
        else:
            local[name] = value
        changes.append(f"metadata.localServer.{name}: {str(value).lower() if isinstance(value, bool) else value}")
    if not local:
        del metadata["localServer"]
    if not metadata and "metadata" not in doc:
        del found["metadata"]
    return Edit(found, tuple(changes))
