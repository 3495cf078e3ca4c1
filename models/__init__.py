"""Everything about models: the vocabulary, the engine, adapters, inspections. Never imports Qt or `viewer`.

The modules directly in this folder are the vocabulary that both processes share and may not import torch, except
`subject`.
"""
