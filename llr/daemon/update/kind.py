"""How this program is installed, and so how it is updated."""

import os
import shlex
import sys

from llr.base.records import dataclass
from llr.daemon import snapshot


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` is archive, site-packages or checkout; `path` the archive, `command` what updates the others."""

    name: str
    path: str = ""
    command: str = ""


def find(package_folder: str, archive: str | None, executable: str) -> Kind:
    """Returns the kind of an installation whose package lies in this folder."""
    if archive is not None:
        return Kind("archive", os.path.realpath(archive))
    parts = package_folder.replace("\\", "/").split("/")
    if "site-packages" not in parts and "dist-packages" not in parts:
        return Kind("checkout", package_folder)
    if "pipx" in parts:
        command = "pipx upgrade llr"
    elif "uv" in parts and "tools" in parts:
        command = "uv tool upgrade llr"
    else:
        command = f"{shlex.quote(executable)} -m pip install --upgrade llr"
    return Kind("site-packages", package_folder, command)


def own() -> Kind:
    """Returns how this process's program is installed."""
    import llr

    return find(os.path.dirname(os.path.abspath(llr.__path__[0])), snapshot.archive(), sys.executable)
