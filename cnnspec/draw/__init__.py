"""Figures: networks and curves as SVG and as text."""
