"""The allow-list of operators in exported programs: those that networks use. Anything else is refused.

Operators on tensors have ATen names, with a trailing "_" for the in-place form. Excluded are operators that read or
write files, change the process (seeds, threads), or reach other processes and devices.
"""

from __future__ import annotations

_ATEN = """
Bool Complex ComplexImplicit Float FloatImplicit Int IntImplicit ScalarImplicit Size abs absolute acos acosh
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
add addbmm addcdiv addcmul addmm addmv addr adjoint affine_grid_generator alias all allclose alpha_dropout amax amin
aminmax angle any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort argwhere as_strided
as_tensor asin asinh atan atan2 atanh atleast_1d atleast_2d atleast_3d avg_pool1d avg_pool2d avg_pool3d baddbmm
batch_norm bernoulli bilinear bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
block_diag bmm broadcast_shapes broadcast_tensors broadcast_to bucketize cartesian_prod cat cdist ceil celu
chain_matmul channel_shuffle chunk clamp clamp_max clamp_min clip clone col2im column_stack complex concat concatenate
conj conj_physical constant_pad_nd contiguous conv1d conv2d conv3d conv_depthwise3d conv_tbc conv_transpose1d
conv_transpose2d conv_transpose3d convolution copy copysign cos cosh cosine_similarity count_nonzero cov cpu cross
cummax cummin cumprod cumsum deg2rad det detach diag diag_embed diagflat diagonal diagonal_scatter diff digamma dim
dist div divide dot dropout dsplit dstack einsum element_size elu embedding empty empty_like empty_permuted
empty_strided eq equal erf erfc erfinv exp exp2 expand expand_as expm1 eye feature_alpha_dropout feature_dropout fill
fix flatten flip fliplr flipud float_power floor floor_divide floordiv fmax fmin fmod frac frobenius_norm full
full_like gather ge gelu get_device ger glu greater greater_equal grid_sampler grid_sampler_2d grid_sampler_3d
group_norm gru gru_cell gt hardshrink hardsigmoid hardswish hardtanh heaviside hsplit hstack hypot im2col imag index
index_add index_copy index_fill index_put index_reduce index_select inner instance_norm inverse is_complex
is_contiguous is_floating_point is_nonzero is_same_size is_signed isclose isfinite isin isinf isnan isneginf isposinf
isreal item kron kthvalue layer_norm ldexp le leaky_relu lerp less less_equal lgamma lift lift_fresh lift_fresh_copy
linear linspace log log10 log1p log2 log_sigmoid log_sigmoid_forward log_softmax logaddexp logaddexp2 logcumsumexp
logdet logical_and logical_not logical_or logical_xor logit logspace logsumexp lstm lstm_cell lt masked_fill
masked_scatter masked_select matmul matrix_power max max_pool1d max_pool1d_with_indices max_pool2d
max_pool2d_with_indices max_pool3d max_pool3d_with_indices max_unpool2d max_unpool3d maximum mean median meshgrid min
minimum mish mm mode moveaxis movedim msort mul multinomial multiply mv mvlgamma nan_to_num nanmean nansum narrow
narrow_copy native_batch_norm native_channel_shuffle native_dropout native_group_norm native_layer_norm ne neg negative
new_empty new_empty_strided new_full new_ones new_zeros nonzero nonzero_numpy norm norm_except_dim normal not_equal
numel numpy_T one_hot ones ones_like outer pad pairwise_distance permute pixel_shuffle pixel_unshuffle polar positive
pow prelu prod promote_types rad2deg rand rand_like randint randint_like randn randn_like randperm range ravel real
reciprocal reflection_pad1d reflection_pad2d reflection_pad3d relu relu6 remainder renorm repeat repeat_interleave
replication_pad1d replication_pad2d replication_pad3d reshape reshape_as resolve_conj resolve_neg result_type rms_norm
rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell roll rot90 round rrelu rsqrt rsub scalar_tensor
scaled_dot_product_attention scatter scatter_add scatter_reduce searchsorted select select_scatter selu sgn sigmoid
sign signbit silu sin sinc sinh size slice slice_scatter slow_conv_dilated2d softmax softplus softshrink softsign sort
split split_with_sizes sqrt square squeeze stack std std_mean storage_offset stride sub subtract sum sum_to_size
swapaxes swapdims sym_constrain_range sym_constrain_range_for_size sym_is_contiguous sym_numel sym_size
sym_storage_offset sym_stride t take take_along_dim tan tanh tensor tensor_split tensordot threshold tile to topk trace
transpose tril tril_indices triu triu_indices true_divide trunc type_as unbind unflatten unfold uniform
unique_consecutive unique_dim unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze upsample_bicubic2d
upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d
vander var var_mean vdot view view_as view_as_complex view_as_real vsplit vstack where xlogy zero zeros zeros_like
alias_copy detach_copy expand_copy permute_copy select_copy slice_copy split_copy squeeze_copy t_copy transpose_copy
unbind_copy unsqueeze_copy view_copy linalg_cross linalg_det linalg_inv linalg_matmul linalg_matrix_norm linalg_norm
linalg_solve linalg_vector_norm special_entr special_erf special_erfc special_expit special_expm1 special_log1p
special_log_softmax special_logit special_logsumexp special_softmax fft_fft fft_fft2 fft_fftn fft_fftshift fft_ifft
fft_ifft2 fft_ifftn fft_ifftshift fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn __and__ __iand__ __ior__
__ixor__ __lshift__ __or__ __rshift__ __xor__ _adaptive_avg_pool2d _adaptive_avg_pool3d _add_relu _aminmax
_assert_async _assert_scalar _assert_tensor_metadata _autocast_to_full_precision _autocast_to_reduced_precision
_batch_norm_impl_index _cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long _cast_Short _conj
_conv_depthwise2d _convolution _convolution_mode _dim_arange _local_scalar_dense _log_softmax _native_batch_norm_legit
_native_batch_norm_legit_functional _native_batch_norm_legit_no_training _native_multi_head_attention _pad_circular
_pad_enum _prelu_kernel _reshape_alias _reshape_from_tensor _safe_softmax _scaled_dot_product_attention_math
_scaled_dot_product_efficient_attention _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu
_shape_as_tensor _softmax _stack _to_copy _transform_bias_rescale_qkv _transformer_encoder_layer_fwd _trilinear _unique
_unique2 _unsafe_index _unsafe_index_put _unsafe_view _upsample_bicubic2d_aa _upsample_bilinear2d_aa
_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d _weight_norm _weight_norm_interface
"""
ATEN = frozenset(_ATEN.split())
_PRIMS = """
abs add amax amin broadcast_in_dim cat ceil clone convert_element_type cos div device_put eq erf exp expand_dims floor
full ge gt iota isfinite le log lt maximum minimum mul ne neg pow prod reshape round rsqrt sign sin slice sqrt squeeze
sub sum tanh transpose view_of where
"""
PRIMS = frozenset(_PRIMS.split())
TORCHVISION = frozenset({"nms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"})
HIGHER_ORDER = frozenset({"cond", "wrap_with_set_grad_enabled", "wrap_with_autocast"})
_QUANTIZED = """
add add_relu add_scalar add_scalar_relu batch_norm batch_norm2d batch_norm2d_relu cat cat_relu celu conv1d conv1d_relu
conv2d conv2d_relu conv3d conv3d_relu conv1d_prepack conv2d_prepack conv3d_prepack conv1d_unpack conv2d_unpack
conv3d_unpack conv2d_stride conv2d_padding conv2d_dilation conv2d_groups conv_transpose1d conv_transpose2d
conv_transpose1d_prepack conv_transpose2d_prepack conv_transpose1d_unpack conv_transpose2d_unpack elu group_norm
hardswish instance_norm layer_norm leaky_relu linear linear_dynamic linear_dynamic_fp16 linear_prepack
linear_prepack_fp16 linear_relu linear_relu_dynamic linear_unpack linear_unpack_fp16 matmul max_pool1d max_pool2d mul
mul_relu mul_scalar mul_scalar_relu prelu relu6 sigmoid softmax threshold
"""
QUANTIZED = frozenset(_QUANTIZED.split())
QUANTISING = frozenset(  # ATen operators of quantised networks
    [
        "dequantize",
        "fake_quantize_per_channel_affine",
        "fake_quantize_per_tensor_affine",
        "int_repr",
        "q_per_channel_axis",
        "q_per_channel_scales",
        "q_per_channel_zero_points",
        "q_scale",
        "q_zero_point",
        "qscheme",
        "quantize_per_channel",
        "quantize_per_tensor",
        "quantize_per_tensor_dynamic",
    ]
)
SIZES = frozenset({"sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not", "sym_sqrt", "sym_sum"})
_ARITHMETIC = """
abs add and_ eq floordiv ge getitem gt le lshift lt mod mul ne neg not_ or_ pos pow rshift sub truediv xor
"""
ARITHMETIC = frozenset(_ARITHMETIC.split())
MATH = frozenset({"ceil", "floor", "trunc", "sqrt"})


def tensor_operator(name: str) -> bool:
    """Return whether an ATen operator, in place or not, is on the list."""
    known = ATEN | QUANTISING
    return name in known or (name.endswith("_") and not name.endswith("__") and name[:-1] in known)


def target(text: str) -> bool:
    """Return whether the target of a torch.export node is an allowed operator, or arithmetic on sizes."""
    match text.split("."):
        case ["torch", "ops", "aten", name, overload] if overload.isidentifier():
            return tensor_operator(name)
        case ["torch", "ops", "prims", name, overload] if overload.isidentifier():
            return name in PRIMS
        case ["torch", "ops", "torchvision", name, overload] if overload.isidentifier():
            return name in TORCHVISION
        case ["torch", "ops", "higher_order", name]:
            return name in HIGHER_ORDER
        case ["torch", name]:
            return name in SIZES
        case ["_operator", name]:
            return name in ARITHMETIC
        case ["math", name]:
            return name in MATH
    return False


# ATen operators in TorchScript on numbers, strings, lists and dictionaries
_LANGUAGE = """
__contains__ __derive_index __getitem__ __is__ __isnot__ __not__ __range_length __round_to_zero_floordiv _set_item
_list_to_tensor _tensor_to_list _unwrap_optional append bin capitalize chr clear count degrees dict divmod endswith
expandtabs extend fabs factorial find format frexp gcd get hash hex insert isalnum isalpha isdecimal isdigit
isidentifier islower isnumeric isprintable isspace istitle isupper items join keys len list ljust lower lstrip
mathremainder modf oct ord partition percentFormat pop popitem radians remove replace reverse rfind rindex rjust
rpartition rsplit rstrip setdefault sorted splitlines startswith str strip swapcase title update upper values warn
zfill is_autocast_enabled is_autocast_cpu_enabled is_grad_enabled set_grad_enabled is_scripting get_autocast_dtype
autocast_decrement_nesting requires_grad_ detach_ squeeze_ unsqueeze_ is_leaf is_quantized is_cuda is_sparse is_mkldnn
to_dense _no_grad_fill_ _no_grad_uniform_ _no_grad_zero_ center binary_cross_entropy binary_cross_entropy_with_logits
cross_entropy_loss huber_loss kl_div l1_loss mse_loss nll_loss nll_loss2d nll_loss_nd smooth_l1_loss soft_margin_loss
triplet_margin_loss cosine_embedding_loss hinge_embedding_loss margin_ranking_loss multi_margin_loss
multilabel_margin_loss ctc_loss poisson_nll_loss gaussian_nll_loss _upsample_lanczos2d_aa __interpolate __upsample
__upsample_bilinear __upsample_nearest device
"""
LANGUAGE = frozenset(_LANGUAGE.split())
# TorchScript's own operators (prim): values, control flow, properties of tensors
_PRIM = """
AutocastDim BroadcastSizes CallFunction CallMethod Constant ConstantChunk CreateObject DictConstruct DictIndex Enter
EnumName EnumValue Exit GetAttr If ImplicitTensorToNum ListConstruct ListUnpack Load Loop NumToTensor Param Print
RaiseException Return SetAttr Store StringIndex TupleConstruct TupleIndex TupleSlice TupleUnpack Uninitialized abs data
device dtype grad id index is_cpu is_cuda is_meta is_mkldnn is_nested is_quantized is_sparse isinstance itemsize layout
max min name nbytes rangelist requires_grad shape shape_constraint tolist type unchecked_cast unchecked_unwrap_optional
unwrap_optional unwrap
"""
PRIM = frozenset(_PRIM.split())


def script_operator(space: str, name: str) -> bool:
    """Return whether a TorchScript operator `SPACE::NAME` is on the list."""
    match space:
        case "aten":
            return tensor_operator(name) or name in LANGUAGE
        case "prim":
            return name in PRIM
        case "prims":
            return name in PRIMS
        case "quantized":
            return name in QUANTIZED
        case "torchvision":
            return name in TORCHVISION | {"box_iou_rotated"}
    return False
