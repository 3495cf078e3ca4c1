"""Ground truth: annotated pictures as plain values, and one reader per format. No torch, no Qt."""
