"""The order of events behind every command."""
