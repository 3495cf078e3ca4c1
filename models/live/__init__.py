"""Video files, cameras and streams: opening, reading, playing and recording them.

The window may import `status`, `record` and `shared_frames`. OpenCV is imported only when a source is opened or a file
is recorded, and torch not at all.

May import models.pictures, models.runtime and the vocabulary.
"""
