"""What can be opened as a model, one file for each kind of name. Nothing here answers a question about one."""
