"""The running state: the document, its history, jobs and the engine's process. May import models' vocabulary; no Qt."""
