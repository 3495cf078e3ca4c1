"""Pictures, videos and cameras by path: read with limits, as RGB, in a process of their own. Imported by any room."""
