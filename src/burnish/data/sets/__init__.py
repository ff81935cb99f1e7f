"""One file for each embedded data set: what is read, what is dropped, what the labels mean."""
