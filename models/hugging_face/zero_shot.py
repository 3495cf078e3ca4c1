"""Networks that compare pictures with texts (CLIP, SigLIP): the texts that a user writes take the place of classes.

The folder's `tokenizer.json` turns a text into numbers; the network's text side makes one vector of each text, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import files
from models.hugging_face.library import quiet
from models.types import Refusal

KEY = "prompts"
TOKENIZER = "tokenizer.json"
MOST_BYTES, MOST_TEXTS, LONGEST = 64 << 20, 1000, 1000
USUAL = (
    "a photo of a person",
    "a photo of an animal",
    "a photo of a vehicle",
    "a photo of a building",
    "a photo of food",
)
NOTE = (
    "It compares the picture with texts: its classes are what you write. In the Model panel, one text a line; "
    "on the command line FOLDER?prompts=a photo of a cat;a photo of a dog."
)


class ZeroShot(nn.Module):
    """A network with two sides, and the vectors `texts` (K, D) of the texts that pictures are compared with."""

    texts: Tensor

    def __init__(self, model: Any, texts: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("texts", texts)

    @property
    def config(self) -> Any:
        """The library's configuration of the network."""
        return self.model.config

    @property
    def one_of_many(self) -> bool:
        """Whether a picture fits one of the texts (CLIP) rather than each of them or not (SigLIP)."""
        return not hasattr(self.model, "logit_bias")

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Return the scores (N, K) of the texts for inputs (N, 3, h, w)."""
        seen = self.model.get_image_features(pixel_values=pixel_values).pooler_output
        seen = seen / seen.norm(p=2, dim=-1, keepdim=True)
        scores = self.model.logit_scale.exp() * seen @ self.texts.t()
        return scores if self.one_of_many else scores + self.model.logit_bias


def prompts(given: str | None, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the texts: those of the model's name, separated by semicolons, else the card's, else usual ones.

    Raises Refusal for too many, or too long ones.
    """
    found = tuple(text.strip() for text in given.split(";") if text.strip()) if given else tuple(classes) or USUAL
    if len(found) > MOST_TEXTS or any(len(text) > LONGEST for text in found) or len(set(found)) < len(found):
        raise Refusal(
            f"There are {len(found):,} texts to compare pictures with, or one is too long or there twice.",
            advice=f"Write up to {MOST_TEXTS:,} different ones of up to {LONGEST:,} characters.",
        )
    return found


def compared(net: Any, folder: Path, texts: Sequence[str]) -> ZeroShot:
    """Return the network with the vectors of its texts. Raises Refusal without a tokenizer that can be read."""
    tokenizer = _tokenizer(folder)
    text = net.config.text_config
    length, padding = int(text.max_position_embeddings), getattr(text, "pad_token_id", None)
    vectors = []
    with quiet(), torch.no_grad():
        for one in texts:
            ids = tokenizer.encode(one).ids
            if not ids or max(ids) >= text.vocab_size:
                raise Refusal(
                    f"The tokenizer of {folder.name} is not that of its network.", advice="Download it again."
                )
            ids = [*ids[: length - 1], ids[-1]] if len(ids) > length else ids
            if hasattr(net, "logit_bias"):  # SigLIP was trained on texts that are filled up to the whole length
                ids = ids + [int(padding or 0)] * (length - len(ids))
                made = net.get_text_features(input_ids=torch.tensor([ids])).pooler_output
            else:
                mask = torch.ones(1, len(ids), dtype=torch.long)
                made = net.get_text_features(input_ids=torch.tensor([ids]), attention_mask=mask).pooler_output
            vectors.append(made[0] / made[0].norm())
    return ZeroShot(net, torch.stack(vectors)).eval()


def _tokenizer(folder: Path) -> Any:
    file = folder / TOKENIZER
    if not file.is_file():
        message = f"{folder.name} compares pictures with texts, and its {TOKENIZER} is not there."
        raise Refusal(message, advice="Download the whole folder; for older ones: AutoTokenizer, then save_pretrained.")
    content = files.text_of(file, most=MOST_BYTES)
    try:
        from tokenizers import Tokenizer

        made = Tokenizer.from_str(content)
    except Exception as error:  # the library raises plain Exceptions
        raise Refusal(f"{TOKENIZER} in {folder.name} cannot be read.", advice="Download it again.") from error
    made.no_padding()
    made.no_truncation()
    return made


def taken(assumed: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """Return the texts in a model's name, and the other assumptions."""
    rest = dict(assumed)
    return rest.pop(KEY, None), rest
