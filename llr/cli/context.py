"""What a command gets besides its flags, and the config file it means."""

import os
from argparse import Namespace
from collections.abc import Mapping

from llr.base.names import DEFAULT_CONFIG
from llr.base.records import dataclass
from llr.cli.output import Output
from llr.cli.prompts import Prompts


@dataclass(frozen=True, slots=True)
class Context:
    """What a command gets besides its flags."""

    env: Mapping[str, str]
    out: Output
    prompts: Prompts
    tokens: tuple[str, ...]


def config_path(args: Namespace) -> str:
    """Returns the absolute path of the config file a command means."""
    return os.path.abspath(os.path.expanduser(args.config or DEFAULT_CONFIG))
