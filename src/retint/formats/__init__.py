"""Photographs as files: decoding and encoding each format, and what a file says beside its pixels.

Imports nothing of colour or networks.
"""
