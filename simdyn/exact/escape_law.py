"""The law of the escape time, beyond its mean: of SGD and Momentum in one dimension, as the chains they are."""
