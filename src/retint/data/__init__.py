"""Corpora: pictures to train on, in ZIP shards with a manifest or in any folder.

Imports neither torch nor libvips.
"""
