"""`python -m llr`. Old syntax until the version is known, so that an old Python can say what is missing."""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write("llr needs Python 3.11 or newer, and this is Python %d.%d.\n" % sys.version_info[:2])
    sys.exit(2)

from llr.cli.main import main

sys.exit(main())
