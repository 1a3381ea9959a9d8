"""The peers' tests share what lies beside this directory."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]
