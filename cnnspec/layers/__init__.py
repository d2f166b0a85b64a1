"""The vocabulary of layers, one file per kind or family."""
