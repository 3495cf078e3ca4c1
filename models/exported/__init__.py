"""Exported programs, one file for each thing that is done to read one safely. No opener, no adapter."""
