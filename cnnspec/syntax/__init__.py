"""Spec text to tree and back."""
