"""`textgen vertex`: one file per command."""
