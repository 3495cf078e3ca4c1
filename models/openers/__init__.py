"""Openers: one module for each kind of model name or file that can be opened.

The registry in models.engine finds them. An opener is a module with two functions, tried in the order of their module
names:

    def match(base: str) -> bool:
        return base.endswith(".mine")

    def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
        return Opened(net, card, (file,), assumed=assumed)

`base` is the name without its settings, which are in `assumed`.

May import models.cards, models.exported, models.families, models.hugging_face, models.loading, models.runtime,
models.user_code, models.zoo and the vocabulary.
"""
