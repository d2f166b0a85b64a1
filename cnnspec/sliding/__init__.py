"""A kernel slid over a few numbers by hand: each product, each sum, nothing rounded."""
