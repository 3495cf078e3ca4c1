"""One file per kind of question: each declares its parameters and answers a request from an adapter's capabilities."""
