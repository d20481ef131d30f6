"""Everything that reads the user's files, beside the editor."""
