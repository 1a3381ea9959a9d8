"""How a particle moves: one record and its functions per method."""
