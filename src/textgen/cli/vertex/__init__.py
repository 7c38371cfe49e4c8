"""`textgen vertex`: one thin file a command."""
