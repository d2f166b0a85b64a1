"""From a network and its recipe to one graph that does a whole step of training."""
