"""Ground truth: annotated pictures as plain values, and one reader per format (COCO, Pascal VOC, YOLO).

Never imports torch, so the window may import all of it.

May import models.cards, models.pictures, models.texts and the vocabulary.
"""
