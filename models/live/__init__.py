"""Moving pictures: video files, cameras, streams. What they are, reading them, playing them, recording them. No Qt."""
