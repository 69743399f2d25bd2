"""Known sets of pictures, brought to this disk: archives whole and checked, and what they say of
each picture (label, split, licence, author) in one `pictures.csv` beside them."""
