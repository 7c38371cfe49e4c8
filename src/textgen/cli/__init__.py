"""The commands: each has one thin file, which parses and checks the arguments and calls the packages that do the work."""
