"""Figures of a study: measurements as points with error bars, theory as dashed lines, exact answers as solid ones."""

from simdyn.study.figures import closing, displacement, escape, maps, scaling, selection  # they register themselves
from simdyn.study.figures.canvas import NotDrawn, check_text, draw_study

__all__ = ["NotDrawn", "check_text", "closing", "displacement", "draw_study", "escape", "maps", "scaling", "selection"]
