"""The commands: one thin file each, which parses, checks and hands on; knows nothing of how the work is done."""
