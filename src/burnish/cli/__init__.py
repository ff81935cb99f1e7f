"""The command line: parses, calls a library function, prints. One command a file."""
