"""Blocks that networks share: encoders and output heads."""
