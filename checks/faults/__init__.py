"""What happens to a run of studies when things go wrong, counted."""
