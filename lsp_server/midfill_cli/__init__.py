"""The `midfill` command."""
