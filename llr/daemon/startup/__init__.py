"""The gateway as a service of the operating system: systemd user units, launchd agents, Windows logon tasks.

Law: the definitions are made by pure functions; everything that touches the machine goes through one seam
(`service.Machine`), so that all three are tested everywhere.
"""

from llr.daemon.startup.manage import install, installed, restart, status, stop, uninstall
from llr.daemon.startup.service import StartupError, Status

__all__ = ["StartupError", "Status", "install", "installed", "restart", "status", "stop", "uninstall"]
