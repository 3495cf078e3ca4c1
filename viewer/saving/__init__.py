"""Reads and writes session files (.vitrine). May import viewer.session; no Qt."""
