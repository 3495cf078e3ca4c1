"""Say which known network of this room tensors of no known family are named like."""

from __future__ import annotations

import re

from models.families.proposal import STATISTICS, Shapes

LEAST = 0.6
# Patterns of the names that a family's code gives its layers, by what the family is called.
NAMED: dict[str, str] = {
    "a residual network for small pictures": r"(conv1|bn1|layer\d\.\d+\.(conv\d|bn\d|\w+\.\d)|linear|fc)",
    "a ResNet of a collection for CIFAR-100": r"(conv1\.\d|conv\d_x\.\d+\.(residual_function|shortcut)\.\d|fc)",
    "DLA": r"(base\.\d|layer\d\.(\d|(left|right|level)_\w+.*|root\.\w+|.*\.root\.\w+)|linear)",
    "a dual path network or a DenseNet": r"((dense|trans)\d\..+|conv1|bn|linear)",
    "ShuffleNet V2": r"((pre|conv1|conv5)\.\d|stage\d\.\d+\.(branch\d|residual|shortcut)\.\d|fc)",
    "RepVGG": r"(stage\d(\.\d+)?\.rbr_\w+(\.\w+)?|linear)",
    "a wide residual network": r"(conv1|block\d\.layer\.\d+\.\w+|bn1|fc)",
    "MobileNetV2": r"(features\.\d+\.(\d|conv\.\d(\.\d)?)|classifier\.\d)",
    "Inception": r"((Conv2d_\d\w+|Mixed_\d\w+)\..+|linear|fc)",
    "RetinaFace": r"(body|fpn|ssh\d|ClassHead|BboxHead|LandmarkHead)\..+",
    "CenterNet": r"(conv1|bn1|base\..+|layer\d\.\d+\..+|deconv_layers\.\d+(\..+)?|(hm|wh|reg|dla_up|ida_up)\..+)",
    "CRAFT": r"(basenet\.slice\d|upconv\d\.conv|conv_cls)\..+",
    "U2-Net": r"(stage\dd?\.rebnconv\w+\.\w+|side\d|outconv)",
    "a U-Net with an encoder before it": r"(encoder|decoder|segmentation_head)\..+",
    "a plain U-Net": r"((inc|down\d|up\d|outc|outc\.conv)\..+|outc)",
    "a stacked hourglass": r"((hgs?|hourglass|pre|features|outs|merge_\w+|res|fc|score)\.?\d*\..+|.*low\d.*)",
    "super resolution with dense blocks": r"(conv_\w+|(RRDB_trunk|body|trunk)\.\d+\..+|(HR|last|up)\w*conv\w*)",
    "a variational autoencoder": r"(encoder|decoder|fc_\w+|fc\d+|decoder_input|final_layer)(\..+)?",
    "StyleGAN2": r"((style|mapping|input|conv1|to_rgb1|convs|to_rgbs|noises|synthesis)\..+)",
    "a VQ-VAE": r"((enc_[tb]|dec(_t)?|quantize_\w+|upsample_t|_?encoder|_?decoder|_?vq_vae|_?pre_vq_conv)(\..+)?)",
    "YOLO": r"(model\.\d+\.(conv|bn|cv\d|m)\b.*|(backbone|neck|head)\..+)",
}


def names_like(shapes: Shapes) -> str:
    """Return a sentence on the known network whose layers have most of these names, "" if none has many."""
    paths = {name.rpartition(".")[0] for name in shapes if not name.endswith(STATISTICS)}
    if len(paths) < 3:
        return ""
    shares = {
        title: sum(bool(re.fullmatch(pattern, path)) for path in paths) / len(paths) for title, pattern in NAMED.items()
    }
    best = max(shares, key=shares.__getitem__)
    if shares[best] < LEAST:
        return ""
    return f"{shares[best]:.0%} of its layers are named as those of {best}, but the whole is not laid out like one."
