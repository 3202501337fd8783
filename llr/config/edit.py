"""Every edit of the document in one place: pure functions `Doc -> Edit`, the document given is never changed.

An edit raises `EditError` when it cannot be made. Whether it may be saved is asked separately: `introduced` names the
errors that the edit would add.
"""

from llr.config.build_provider import build_provider, credential
from llr.config.edit_limits import limits_by_id, remove_rate_limit, set_rate_limits
from llr.config.edit_models import (
    remove_alias,
    remove_model,
    rename_alias,
    rename_model,
    set_default_model,
    set_model_fallbacks,
    upsert_alias,
)
from llr.config.edit_providers import remove_provider, rename_provider, upsert_provider
from llr.config.edit_result import Edit, introduced
from llr.config.edit_root import set_local_server, set_master_key
from llr.config.locate import EditError

__all__ = [
    "Edit",
    "EditError",
    "build_provider",
    "credential",
    "introduced",
    "limits_by_id",
    "remove_alias",
    "remove_model",
    "remove_provider",
    "remove_rate_limit",
    "rename_alias",
    "rename_model",
    "rename_provider",
    "set_default_model",
    "set_local_server",
    "set_master_key",
    "set_model_fallbacks",
    "set_rate_limits",
    "upsert_alias",
    "upsert_provider",
]
