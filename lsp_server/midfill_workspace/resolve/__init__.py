"""Import -> files: one resolver for each language behind one interface."""
