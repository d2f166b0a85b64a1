"""Source text and what is said about it; knows nothing of networks."""
