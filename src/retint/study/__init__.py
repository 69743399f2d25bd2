"""A blind study with people: made, held and counted."""
