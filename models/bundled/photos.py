"""The bundled classifiers of small photographs: a residual network and a vision transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer

SIZE_PX = 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class PhotosResNet(nn.Module):
    """A residual network for 32x32 px (He et al. 2016, section 4.2), with maps of 32, 16 and 8 px.

    It ends in global average pooling and one linear layer, so that class activation maps (Zhou et al. 2016) are exact.
    """

    def __init__(self, *, width: int = 24, blocks: int = 3, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(width, width, blocks, stride=1)
        self.layer2 = _stage(width, 2 * width, blocks, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, blocks, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    first = BasicBlock(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(blocks - 1)))


def photos_resnet() -> PhotosResNet:
    """Build the residual network: 20 layers, widths 24, 48 and 96, 0.6 million parameters."""
    return PhotosResNet()


def photos_vit() -> VisionTransformer:
    """Build a small version of torchvision's vision transformer (Dosovitskiy et al. 2021).

    It has 64 tokens of 4x4 px, 6 layers, and 4 heads of 32. Its patches come from two strided convolutions (Xiao et al.
    2021), which learn far faster from few pictures.
    """
    stem = [ConvStemConfig(out_channels=channels, kernel_size=3, stride=2) for channels in (64, 128)]
    return VisionTransformer(
        image_size=SIZE_PX,
        patch_size=4,
        num_layers=6,
        num_heads=4,
        hidden_dim=128,
        mlp_dim=256,
        num_classes=len(CLASSES),
        conv_stem_configs=stem,
    )
