"""`python -m simdyn`: the command line."""

import os
import sys

# Python lets the folder where it is called go before all libraries: a matplotlib.py that lies there would run.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

from simdyn.cli import main

main(prog_name="simdyn")
