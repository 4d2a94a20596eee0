"""One file an engine: a launch becomes argv, environment and files."""
