"""An upstream that lives in the gateway's own process, so that everything can be tried without a key or a network.

Law: it is an ordinary HTTP handler, reached over loopback through the ordinary client; nothing in the data plane knows
it. It keeps no state and writes nothing.
"""

from llr.control.demo.handler import demo_handler
from llr.control.demo.setup import DEMO_KEY, demo_doc, demo_help
from llr.control.demo.turn import MODELS

__all__ = ["DEMO_KEY", "MODELS", "demo_doc", "demo_handler", "demo_help"]
