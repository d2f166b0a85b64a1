"""What can be told of a network: facts, and one renderer for each format, from facts only."""
