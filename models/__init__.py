"""Everything about models: the vocabulary, the engine, adapters, inspections. Never imports Qt."""
