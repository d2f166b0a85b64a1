"""Pages: what there is to see of a network or a run, as HTML that needs nothing but a browser."""
