"""One folder a paper. Methods never import each other."""
