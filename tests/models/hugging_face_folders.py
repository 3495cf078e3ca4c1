"""Tiny folders of Hugging Face's, with random weights, as `save_pretrained` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

VIT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
RESNET = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16, 24],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}
DETR = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_queries": 12,
    "num_labels": 5,
    "use_timm_backbone": False,
}
SWIN = {
    "model_type": "swin",
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 2,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}


def _vit() -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    names = {i: f"animal {i}" for i in range(6)}
    return ViTForImageClassification(ViTConfig(image_size=64, patch_size=16, id2label=names, **VIT))


def _deit() -> Any:
    from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher

    return DeiTForImageClassificationWithTeacher(DeiTConfig(image_size=64, patch_size=16, num_labels=6, **VIT))


def _resnet() -> Any:
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(ResNetConfig(num_labels=6, **{**RESNET, "out_features": None}))


def _swin() -> Any:
    from transformers import SwinConfig, SwinForImageClassification

    return SwinForImageClassification(SwinConfig(num_labels=6, **{**SWIN, "out_features": None}))


def _convnext() -> Any:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    return ConvNextForImageClassification(ConvNextConfig(hidden_sizes=[8, 12, 16, 24], depths=[1] * 4, num_labels=6))


def _registers() -> Any:
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    sizes = {**VIT, "mlp_ratio": 2}
    del sizes["intermediate_size"]
    return Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(image_size=64, patch_size=16, num_register_tokens=4, **sizes)
    )


def _dinov2() -> Any:
    from transformers import Dinov2Config, Dinov2Model

    sizes = {**VIT, "mlp_ratio": 2}
    del sizes["intermediate_size"]
    return Dinov2Model(Dinov2Config(image_size=64, patch_size=16, **sizes))


def _clip_vision() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return CLIPVisionModelWithProjection(CLIPVisionConfig(image_size=64, patch_size=16, projection_dim=24, **VIT))


def _detr() -> Any:
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    return DetrForObjectDetection(
        DetrConfig(backbone_config=ResNetConfig(**{**RESNET, "out_features": ["stage4"]}), **DETR)
    )


def _detr_masks() -> Any:
    from transformers import DetrConfig, DetrForSegmentation, ResNetConfig

    backbone = ResNetConfig(**{**RESNET, "out_features": ["stage1", "stage2", "stage3", "stage4"]})
    return DetrForSegmentation(
        DetrConfig(
            backbone_config=backbone,
            **{**DETR, "d_model": 64, "encoder_attention_heads": 8, "decoder_attention_heads": 8},
        )
    )


def _conditional() -> Any:
    from transformers import ConditionalDetrConfig, ConditionalDetrForObjectDetection, ResNetConfig

    backbone = ResNetConfig(**{**RESNET, "out_features": ["stage4"]})
    return ConditionalDetrForObjectDetection(ConditionalDetrConfig(backbone_config=backbone, **DETR))


def _deformable() -> Any:
    from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, ResNetConfig

    more = {"num_feature_levels": 3, "encoder_n_points": 2, "decoder_n_points": 2}
    return DeformableDetrForObjectDetection(
        DeformableDetrConfig(backbone_config=ResNetConfig(**RESNET), **DETR, **more)
    )


def _rt(config: Any, network: Any, backbone: Any, **more: Any) -> Any:
    sizes = {
        "encoder_hidden_dim": 32,
        "encoder_in_channels": [12, 16, 24],
        "feat_strides": [8, 16, 32],
        "encoder_ffn_dim": 48,
        "encoder_attention_heads": 4,
        "d_model": 32,
        "decoder_in_channels": [32, 32, 32],
        "decoder_ffn_dim": 48,
        "decoder_layers": 2,
        "decoder_attention_heads": 4,
        "num_queries": 12,
        "num_labels": 5,
        "num_denoising": 0,
        "hidden_expansion": 0.5,
    }
    return network(config(backbone_config=backbone, **sizes, **more))


def _rt_detr() -> Any:
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

    plain = {key: value for key, value in RESNET.items() if key != "model_type"}
    return _rt(RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig(**plain))


def _rt_detr_v2() -> Any:
    from transformers import RTDetrResNetConfig, RTDetrV2Config, RTDetrV2ForObjectDetection

    plain = {key: value for key, value in RESNET.items() if key != "model_type"}
    return _rt(RTDetrV2Config, RTDetrV2ForObjectDetection, RTDetrResNetConfig(**plain))


def _d_fine() -> Any:
    from transformers import DFineConfig, DFineForObjectDetection, ResNetConfig

    return _rt(DFineConfig, DFineForObjectDetection, ResNetConfig(**RESNET))


def _yolos() -> Any:
    from transformers import YolosConfig, YolosForObjectDetection

    return YolosForObjectDetection(
        YolosConfig(image_size=[64, 96], patch_size=16, num_detection_tokens=12, num_labels=5, **VIT)
    )


def _segformer() -> Any:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    sizes = {"hidden_sizes": [8, 12, 16, 24], "depths": [1] * 4, "num_attention_heads": [1, 1, 2, 2]}
    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=5, decoder_hidden_size=16, **sizes))


def _upernet() -> Any:
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = ConvNextConfig(hidden_sizes=[8, 12, 16, 24], depths=[1] * 4, out_features=stages)
    more = {"hidden_size": 16, "auxiliary_channels": 16, "auxiliary_in_channels": 16, "num_labels": 5}
    return UperNetForSemanticSegmentation(UperNetConfig(backbone_config=backbone, **more))


def _beit() -> Any:
    from transformers import BeitConfig, BeitForSemanticSegmentation

    more = {"out_indices": [1, 2, 3, 4], "num_labels": 5, "auxiliary_channels": 8}
    return BeitForSemanticSegmentation(
        BeitConfig(image_size=64, patch_size=16, **{**VIT, "num_hidden_layers": 4}, **more)
    )


def _mask2former() -> Any:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    config = Mask2FormerConfig(
        backbone_config=SwinConfig(**SWIN),
        hidden_dim=32,
        feature_size=32,
        mask_feature_size=32,
        encoder_feedforward_dim=24,
        dim_feedforward=24,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        num_queries=10,
        num_labels=5,
    )
    return Mask2FormerForUniversalSegmentation(config)


def _maskformer() -> Any:
    from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation, SwinConfig

    decoder = DetrConfig(**{**DETR, "num_queries": 10})
    config = MaskFormerConfig(
        backbone_config=SwinConfig(**SWIN),
        decoder_config=decoder.to_dict(),
        fpn_feature_size=32,
        mask_feature_size=32,
        num_labels=5,
    )
    return MaskFormerForInstanceSegmentation(config)


def _depth_anything() -> Any:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    sizes = {**VIT, "mlp_ratio": 2, "num_hidden_layers": 4}
    del sizes["intermediate_size"]
    stages = ["stage1", "stage2", "stage3", "stage4"]
    backbone = Dinov2Config(
        image_size=56, patch_size=14, out_features=stages, reshape_hidden_states=False, apply_layernorm=True, **sizes
    )
    more = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 8, "head_hidden_size": 8}
    return DepthAnythingForDepthEstimation(
        DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=32, patch_size=14, **more)
    )


def _dpt() -> Any:
    from transformers import DPTConfig, DPTForDepthEstimation

    more = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 8, "backbone_out_indices": [0, 1, 2, 3]}
    return DPTForDepthEstimation(
        DPTConfig(image_size=64, patch_size=16, is_hybrid=False, **{**VIT, "num_hidden_layers": 4}, **more)
    )


def _glpn() -> Any:
    from transformers import GLPNConfig, GLPNForDepthEstimation

    sizes = {"hidden_sizes": [8, 12, 16, 24], "depths": [1] * 4, "num_attention_heads": [1, 1, 2, 2]}
    return GLPNForDepthEstimation(GLPNConfig(decoder_hidden_size=8, **sizes))


def _vitpose() -> Any:
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    sizes = {key: value for key, value in VIT.items() if key != "intermediate_size"}
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], mlp_ratio=2, out_features=["stage2"], **sizes
    )
    return VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17))


def _superpoint() -> Any:
    from transformers import SuperPointConfig, SuperPointForKeypointDetection

    sizes = {"encoder_hidden_sizes": [8, 8, 8, 8], "decoder_hidden_size": 16, "descriptor_decoder_dim": 16}
    return SuperPointForKeypointDetection(SuperPointConfig(keypoint_threshold=0.02, **sizes))


def _clip() -> Any:
    from transformers import CLIPConfig, CLIPModel

    text = {**VIT, "vocab_size": 600, "max_position_embeddings": 20, "bos_token_id": 0, "eos_token_id": 1}
    return CLIPModel(
        CLIPConfig(text_config=text, vision_config={"image_size": 64, "patch_size": 16, **VIT}, projection_dim=24)
    )


NETWORKS: dict[str, Callable[[], Any]] = {
    "vit": _vit,
    "deit": _deit,
    "resnet": _resnet,
    "swin": _swin,
    "convnext": _convnext,
    "registers": _registers,
    "dinov2": _dinov2,
    "clip_vision": _clip_vision,
    "detr": _detr,
    "detr_masks": _detr_masks,
    "conditional": _conditional,
    "deformable": _deformable,
    "rt_detr": _rt_detr,
    "rt_detr_v2": _rt_detr_v2,
    "d_fine": _d_fine,
    "yolos": _yolos,
    "segformer": _segformer,
    "upernet": _upernet,
    "beit": _beit,
    "mask2former": _mask2former,
    "maskformer": _maskformer,
    "depth_anything": _depth_anything,
    "dpt": _dpt,
    "glpn": _glpn,
    "vitpose": _vitpose,
    "superpoint": _superpoint,
    "clip": _clip,
}
# What the makers of these networks publish beside them, at the tiny networks' sizes.
PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViTImageProcessor", {"size": {"height": 64, "width": 64}}),
    "deit": ("DeiTImageProcessor", {"size": {"height": 73, "width": 73}, "crop_size": {"height": 64, "width": 64}}),
    "resnet": ("ConvNextImageProcessor", {"size": {"shortest_edge": 64}, "crop_pct": 0.875}),
    "swin": ("ViTImageProcessor", {"size": {"height": 64, "width": 64}}),
    "convnext": ("ConvNextImageProcessor", {"size": {"shortest_edge": 64}, "crop_pct": 0.9}),
    "registers": ("BitImageProcessor", {"size": {"shortest_edge": 70}, "crop_size": {"height": 64, "width": 64}}),
    "dinov2": ("BitImageProcessor", {"size": {"shortest_edge": 70}, "crop_size": {"height": 64, "width": 64}}),
    "clip_vision": ("CLIPImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}),
    "detr": ("DetrImageProcessor", {"size": {"shortest_edge": 64, "longest_edge": 110}}),
    "detr_masks": ("DetrImageProcessor", {"size": {"shortest_edge": 64, "longest_edge": 110}}),
    "conditional": ("ConditionalDetrImageProcessor", {"size": {"shortest_edge": 64, "longest_edge": 110}}),
    "deformable": ("DeformableDetrImageProcessor", {"size": {"shortest_edge": 64, "longest_edge": 110}}),
    "rt_detr": ("RTDetrImageProcessor", {"size": {"height": 64, "width": 64}}),
    "rt_detr_v2": ("RTDetrImageProcessor", {"size": {"height": 64, "width": 64}}),
    "d_fine": ("RTDetrImageProcessor", {"size": {"height": 64, "width": 64}}),
    "yolos": ("YolosImageProcessor", {"size": {"shortest_edge": 64, "longest_edge": 110}}),
    "segformer": ("SegformerImageProcessor", {"size": {"height": 64, "width": 64}}),
    "upernet": ("SegformerImageProcessor", {"size": {"height": 64, "width": 64}}),
    "beit": ("BeitImageProcessor", {"size": {"height": 64, "width": 64}}),
    "mask2former": ("Mask2FormerImageProcessor", {"size": {"height": 64, "width": 64}}),
    "maskformer": ("MaskFormerImageProcessor", {"size": {"height": 64, "width": 64}}),
    "depth_anything": (
        "DPTImageProcessor",
        {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14},
    ),
    "dpt": ("DPTImageProcessor", {"size": {"height": 64, "width": 64}}),
    "glpn": ("GLPNImageProcessor", {}),
    "vitpose": ("VitPoseImageProcessor", {"size": {"height": 64, "width": 48}}),
    "superpoint": ("SuperPointImageProcessor", {"size": {"height": 64, "width": 96}}),
    "clip": ("CLIPImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}),
}


def make(name: str, folder: Path) -> Path:
    """Save a tiny network with random weights and its processor's settings into `folder`, and return it."""
    torch.manual_seed(7)
    net = NETWORKS[name]()
    for parameter in net.parameters():  # initial values are too small for answers that differ
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=2.0 / parameter[0].numel() ** 0.5)
    net.eval().save_pretrained(folder)
    kind, settings = PROCESSORS[name]
    import transformers

    getattr(transformers, kind)(**settings).save_pretrained(folder)
    return folder


def edit(folder: Path, file: str = "config.json", **values: Any) -> None:
    """Change values in a folder's JSON file; None removes one."""
    content = json.loads((folder / file).read_text()) | values
    (folder / file).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
