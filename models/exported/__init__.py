"""Open exported programs (ONNX, torch.export, TorchScript) safely; one file per step of checking and conversion.

May import models.loading and the vocabulary.
"""
