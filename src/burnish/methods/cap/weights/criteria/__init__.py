"""What decides which weights stay, one criterion a file."""
