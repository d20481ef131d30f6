"""Source text -> what it declares and imports: one engine, and one table of node types for each language."""
