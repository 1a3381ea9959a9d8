"""Who takes part, a file each: `contenders(work)` gives those that can do a work, `PACKAGES` what they need."""
