"""The shared backend of Midfill: tasks, models, records."""
