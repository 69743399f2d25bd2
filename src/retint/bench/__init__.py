"""Judging models: metrics over sets of pictures, beside what any model must beat."""
