"""How many files this process may open, and how many connections that leaves."""

import sys

# Kept for everything that is not a connection: stores, logs, config files, the event loop, idle upstream sockets.
RESERVE = 128
FALLBACK_LIMIT = 1024


def raise_limit() -> int:
    """Returns the number of files this process may open, after the soft limit was raised to the hard one."""
    if sys.platform == "win32":
        return FALLBACK_LIMIT
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            # macOS refuses "unlimited" for files; its soft limit stays then.
            hard = soft
    limit = min(hard, 1_048_576) if hard != resource.RLIM_INFINITY else 1_048_576
    return max(limit, 0)


def connection_cap(limit: int) -> int:
    """Returns how many client connections fit: each needs a second descriptor for its upstream."""
    return max((limit - RESERVE) // 2, 16)
