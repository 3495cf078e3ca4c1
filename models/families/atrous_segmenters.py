"""Segmentation networks on a ResNet by the names of much-used codes: DeepLabV3+ twice, PSPNet, BiSeNet; FCN on VGG.

Chen et al. 2018, Zhao et al. 2017, Yu et al. 2018, Long et al. 2015. None of them keeps its strides and dilations in
its tensors: those of the published training are the usual choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.named_layers import fitting
from models.families.named_segmenters import STEP, NamedSegmenter
from models.families.proposal import Proposal, Shapes, choice, numbered, place

IMAGENET = {"resize": 512, "fit": "whole"}
CAFFE = {"resize": 512, "fit": "whole", "order": "bgr", "range": 255.0}
CAFFE |= {"mean": [104.00698793, 116.66876762, 122.67891434], "std": [1.0] * 3}
STRIDES = choice(
    "Output stride",
    "How many pixels one value of the last maps stands for: the later stages are dilated instead of halved.",
    ("16", "8"),
)
SCALED = choice(
    "Earlier maps",
    "Whether scores of earlier maps were scaled in training, as in the variant that was trained at once.",
    ("whole", "scaled"),
    {"whole": "as they are", "scaled": "times 0.01 and 0.0001"},
)
MULTIGRID = (1, 2, 4)
PASCAL = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv/monitor"),
)


class DilatedSegmenter(NamedSegmenter):
    """What these networks share: a ResNet whose later stages are dilated, and pictures of any size."""

    def run(self, x: Tensor) -> Tensor:
        """Return the scores (N, K, h, w) of every pixel."""
        return self.scores(x)

    def dilated(self, path: str, x: Tensor, stride: int, dilations: Mapping[int, int], usual: int) -> Tensor:
        """Return a stage's map; blocks of `dilations` by number have their own, all others the usual one."""
        for at in self.numbers(path):
            here, step, wide = f"{path}.{at}", stride if at == 0 else 1, dilations.get(at, usual)
            deep = self.has(f"{here}.conv3")
            out = self.unit(
                f"{here}.conv1",
                f"{here}.bn1",
                x,
                1 if deep else step,
                dilation=1 if deep else wide,
            )
            out = self.unit(f"{here}.conv2", f"{here}.bn2", out, step if deep else 1, active=deep, dilation=wide)
            out = self.unit(f"{here}.conv3", f"{here}.bn3", out, active=False) if deep else out
            beside = f"{here}.downsample"
            x = self.activate(out + (self.through(beside, x, step) if self.has(beside) else x))
        return x

    def eighth(self) -> bool:
        """Whether the last maps have one value for 8 px rather than for 16."""
        return self.assumed.get("strides", "16") == "8"


class AtrousDecoder(DilatedSegmenter):
    """DeepLabV3+ as `backbone`, `aspp.aspp1` to `aspp4`, `decoder`; its last stage has dilations of their own."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        size, near = x.shape[2:], self.eighth()
        x = functional.max_pool2d(self.unit("backbone.conv1", "backbone.bn1", x, 2), 3, 2, 1)
        low = x = self.dilated("backbone.layer1", x, 1, {}, 1)
        x = self.dilated("backbone.layer2", x, 2, {}, 1)
        x = self.dilated("backbone.layer3", x, 1 if near else 2, {}, 2 if near else 1)
        wide = 4 if near else 2
        x = self.dilated("backbone.layer4", x, 1, {at: wide * more for at, more in enumerate(MULTIGRID)}, wide)
        rates = (1, 12, 24, 36) if near else (1, 6, 12, 18)
        maps = [self._atrous(f"aspp.aspp{at}", x, rate) for at, rate in enumerate(rates, 1)]
        mean = x.mean((2, 3), keepdim=True)
        maps.append(self.through("aspp.global_avg_pool", mean, ends=True).expand(-1, -1, *x.shape[2:]))
        x = self.unit("aspp.conv1", "aspp.bn1", torch.cat(maps, 1))
        low = self.unit("decoder.conv1", "decoder.bn1", low)
        x = self.through("decoder.last_conv", torch.cat([self.like(x, low.shape[2:]), low], 1))
        return self.like(x, size)

    def _atrous(self, path: str, x: Tensor, rate: int) -> Tensor:
        return self.unit(f"{path}.atrous_conv", f"{path}.bn", x, dilation=rate)


class AtrousClassifier(DilatedSegmenter):
    """DeepLabV3+ as `backbone`, `classifier.aspp`, `classifier.project`, `classifier.classifier`."""

    way = "centred"

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        size, near = x.shape[2:], self.eighth()
        x = functional.max_pool2d(self.unit("backbone.conv1", "backbone.bn1", x, 2), 3, 2, 1)
        low = x = self.dilated("backbone.layer1", x, 1, {}, 1)
        x = self.dilated("backbone.layer2", x, 2, {}, 1)
        x = self.dilated("backbone.layer3", x, 1 if near else 2, {0: 1}, 2 if near else 1)
        # The first block of a stage still has the dilation of the one before.
        x = self.dilated("backbone.layer4", x, 1, {0: 2 if near else 1}, 4 if near else 2)
        rates = (1, 12, 24, 36) if near else (1, 6, 12, 18)
        path = "classifier.aspp"
        maps = [self.through(f"{path}.convs.{at}", x, ends=True, dilation=rate) for at, rate in enumerate(rates)]
        mean = self.through(f"{path}.convs.4", x.mean((2, 3), keepdim=True), ends=True)
        x = self.through(f"{path}.project", torch.cat([*maps, mean.expand(-1, -1, *x.shape[2:])], 1), ends=True)
        low = self.through("classifier.project", low, ends=True)
        x = self.through("classifier.classifier", torch.cat([low, self.like(x, low.shape[2:])], 1))
        return self.like(x, size)


class TwoPaths(DilatedSegmenter):
    """BiSeNet whose detailed path is the ResNet's first stages: `cp`, `ffm`, `conv_out`, of which the last counts."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        size = x.shape[2:]
        path = "cp.resnet"
        x = functional.max_pool2d(self.unit(f"{path}.conv1", f"{path}.bn1", x, 2), 3, 2, 1)
        maps = []
        for at in (1, 2, 3, 4):
            x = self.dilated(f"{path}.layer{at}", x, 1 if at == 1 else 2, {}, 1)
            maps.append(x)
        eighth, sixteenth, last = maps[1:]
        mean = self._unit("cp.conv_avg", last.mean((2, 3), keepdim=True))
        x = self._weighed("cp.arm32", last) + mean
        x = self._unit("cp.conv_head32", self._near(x, sixteenth))
        rough = x
        x = self._unit("cp.conv_head16", self._near(self._weighed("cp.arm16", sixteenth) + x, eighth))
        if self._making:  # the two outputs of training
            self._end("conv_out16", x)
            self._end("conv_out32", rough)
        x = self._unit("ffm.convblk", torch.cat([eighth, x], 1))
        share = self.activate(self.convolve("ffm.conv1", x.mean((2, 3), keepdim=True)))
        x = x * self.convolve("ffm.conv2", share).sigmoid() + x
        return self.like(self._end("conv_out", x), size)

    def _unit(self, path: str, x: Tensor) -> Tensor:
        return self.unit(f"{path}.conv", f"{path}.bn", x)

    def _weighed(self, path: str, x: Tensor) -> Tensor:
        x = self._unit(f"{path}.conv", x)
        mean = self.convolve(f"{path}.conv_atten", x.mean((2, 3), keepdim=True))
        return x * self.normalise(f"{path}.bn_atten", mean).sigmoid()

    def _end(self, path: str, x: Tensor) -> Tensor:
        return self.convolve(f"{path}.conv_out", self._unit(f"{path}.conv", x))

    def _near(self, x: Tensor, other: Tensor) -> Tensor:
        if self._making:
            return x.new_empty(*x.shape[:2], *other.shape[2:])
        return functional.interpolate(x, size=other.shape[2:], mode="nearest")


class Pyramid(DilatedSegmenter):
    """PSPNet: `layer0` to `layer4`, dilated to one value for 8 px, `ppm.features`, `cls`; `aux` is of the training."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        size = x.shape[2:]
        deep = len(self.numbers("layer0")) > 2  # three convolutions in place of one of 7 x 7
        x = self.through("layer0", x, 2, ends=True) if deep else self.unit("layer0.0", "layer0.1", x, 2)
        x = functional.max_pool2d(x, 3, 2, 1)
        x = self.dilated("layer1", x, 1, {}, 1)
        x = self.dilated("layer2", x, 2, {}, 1)
        x = self.dilated("layer3", x, 1, {}, 2)
        if self._making and self.has("aux"):
            self.through("aux", x)
        x = self.dilated("layer4", x, 1, {}, 4)
        maps = [x]
        for at, bins in enumerate((1, 2, 3, 6)):
            few = x.new_empty(*x.shape[:2], bins, bins) if self._making else functional.adaptive_avg_pool2d(x, bins)
            maps.append(self.like(self.through(f"ppm.features.{at}", few, ends=True), x.shape[2:]))
        return self.like(self.through("cls", torch.cat(maps, 1)), size)


class Skipped(DilatedSegmenter):
    """FCN on VGG with 32, 16 or 8 px a value: `conv1_1` to `conv5_3`, `fc6`, `fc7`, `score_fr`; borders of 100 px."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        size = x.shape[2:]
        kept: dict[int, Tensor] = {}
        for stage in range(1, 6):
            for at in (1, 2, 3):
                path = f"conv{stage}_{at}"
                if self.has(path):
                    x = self.activate(self.convolve(path, x, padding=100 if path == "conv1_1" else 1))
            x = kept[stage] = functional.max_pool2d(x, 2, 2, ceil_mode=True)
        for path in ("fc6", "fc7"):
            x = self.activate(self.convolve(path, x, padding=0))
        x = self.convolve("score_fr", x)
        if self.has("upscore"):
            return self._cut(self._larger("upscore", x, 32), 19, size)
        scaled = self.assumed.get("earlier") == "scaled"
        x = self._larger("upscore2", x, 2)
        more = self.convolve("score_pool4", kept[4] * 0.01 if scaled else kept[4])
        x = x + self._cut(more, 5, x.shape[2:])
        if self.has("upscore16"):
            return self._cut(self._larger("upscore16", x, 16), 27, size)
        x = self._larger("upscore_pool4", x, 2)
        more = self.convolve("score_pool3", kept[3] * 0.0001 if scaled else kept[3])
        x = x + self._cut(more, 9, x.shape[2:])
        return self._cut(self._larger("upscore8", x, 8), 31, size)

    def _larger(self, path: str, x: Tensor, stride: int) -> Tensor:
        if self._making and not self._made(path):
            inside, out, side, _ = self.shapes[f"{path}.weight"]
            place(self, path, nn.ConvTranspose2d(inside, out, side, stride, bias=False))
        return self.get_submodule(path)(x)

    def _cut(self, x: Tensor, begin: int, size: Any) -> Tensor:
        return x[:, :, begin : begin + size[0], begin : begin + size[1]]


KINDS: tuple[tuple[str, type[NamedSegmenter], str, Mapping[str, Any], str], ...] = (
    ("aspp.aspp1.atrous_conv.weight", AtrousDecoder, "DeepLabV3+ on a ResNet", IMAGENET, "strides"),
    ("classifier.aspp.convs.0.0.weight", AtrousClassifier, "DeepLabV3+ on a ResNet", IMAGENET, "strides"),
    ("cp.arm16.conv.conv.weight", TwoPaths, "BiSeNet on a ResNet", {"resize": 512, "crop": 512, "fit": "stretch"}, ""),
    ("ppm.features.0.1.weight", Pyramid, "PSPNet", IMAGENET, ""),
    ("score_fr.weight", Skipped, "FCN on VGG", CAFFE, "earlier"),
)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the segmentation network that has these tensors, None if it is none."""
    found = next((one for one in KINDS if one[0] in shapes), None)
    if found is None:
        return None
    _, kind, title, prepared, asked = found
    build = partial(_counted, kind, shapes)
    net = fitting(shapes, build)
    if net is None:
        return None
    named = {len(PASCAL): PASCAL}.get(net.count) if kind is not TwoPaths else None
    offered = {"strides": STRIDES} if asked == "strides" else {}
    if asked == "earlier" and "score_pool4.weight" in shapes:
        offered["earlier"] = SCALED
    note = "Its classes have the names of Pascal VOC, which has as many." if named else ""
    return Proposal(
        title=title,
        task="segmentation",
        build=build,
        side=512,
        channels=3,
        classes=named or (("background", "foreground") if net.count in (1, 2) else numbered(net.count)),
        offered=offered,
        about={
            "preprocessing": dict(prepared),
            **({"note": f"Recognised by its tensors: {title}. {note}"} if note else {}),
        },
    )


def _counted(kind: type[NamedSegmenter], shapes: Shapes, assumed: Mapping[str, str]) -> NamedSegmenter:
    net = kind(shapes, assumed, side=2 * STEP, channels=3)
    net.count = net.made.shape[1]
    return net
