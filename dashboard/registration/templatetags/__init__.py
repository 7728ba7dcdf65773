"""Words and marks of registration, for templates."""
