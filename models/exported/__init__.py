"""Open exported programs (ONNX, torch.export, TorchScript) safely; one file per step of checking and conversion.

May import models.runtime and the shared types; never an opener or an adapter.
"""
