"""Training: recipe, corpus, film, tasks, loop, checkpoint. Imports torch, numpy and Pillow, never
libvips."""
