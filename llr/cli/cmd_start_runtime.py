"""`llr start-runtime`: a worker. Its parent binds, watches, and tells it when to end."""

import os
from argparse import Namespace

from llr.cli.builder import builder
from llr.cli.context import Context
from llr.cli.launch import SERVING_PARAMS, from_worker_args, make_log
from llr.control.params import Param
from llr.control.report import Outcome, refuse

PARAMS: tuple[Param, ...] = SERVING_PARAMS


def run(args: Namespace, _context: Context) -> Outcome:
    """Returns after the parent asked for the end, or is gone."""
    import asyncio

    from llr.daemon import listener, runtime, source

    link = runtime.link_fd(os.environ)
    if link is None:
        raise refuse("no-parent", "`llr start-runtime` is started by a running gateway.", "Use `llr start`.")
    launch = from_worker_args(args)
    log = make_log(launch)
    source.own()
    sockets = listener.inherited(os.environ)
    return Outcome(asyncio.run(runtime.run_worker(builder(launch, log), sockets, log, link)))
