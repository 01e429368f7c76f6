"""Every figure in README and docs comes from a command in here."""
