"""Convert a torch.export program to modules under their original paths, plain layers to PyTorch's own classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.unflatten import InterpreterModule

from models.exported import bounded_arithmetic, pure_graph
from models.exported.graph_calls import quiet
from models.exported.onnx_inputs import CODES
from models.exported.torch_archive import Exported
from models.loading import filled_inputs
from models.loading.filled_inputs import FilledInput
from models.loading.unseen_inputs import Told, described, words_of
from models.types import Refusal

ENTRY = "filled_inputs"  # the module that holds what makes the inputs besides the picture
ONE = {"relu": nn.ReLU, "silu": nn.SiLU, "hardswish": nn.Hardswish, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
ONE |= {"mish": nn.Mish, "hardsigmoid": nn.Hardsigmoid, "softplus": nn.Softplus, "selu": nn.SELU, "relu6": nn.ReLU6}


def told(given: Exported) -> list[tuple[str, list[int], torch.dtype | None]]:
    """Return name, sizes (0 is free) and type of each of a program's inputs; a type of None is no tensor."""
    program = given.program
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    values = [
        (str(one), nodes[one].meta.get("val") if one in nodes else None) for one in program.graph_signature.user_inputs
    ]
    return [(n, _sides(given, n, v), v.dtype) if isinstance(v, Tensor) else (n, [], None) for n, v in values]


def sees_picture(inputs: Told) -> bool:
    """Return whether one of a program's inputs has the form of a picture."""
    return any(
        len(sides) == 4 and dtype is not None and dtype.is_floating_point and _pictured(name, sides)
        for name, sides, dtype in inputs
    )


def _pictured(name: str, sides: Sequence[int]) -> bool:
    code = list(sides[2:]) == [1, 1] or bool(words_of(name) & CODES)
    return not (code and sides[1] not in (0, 1, 3))


def unflatten(given: Exported, *, name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the network of a program, and its input's channels, height and width; 0 for a size that is free.

    The network takes one tensor and returns what was exported, as a dictionary by name if it was one. The program's own
    input checks are left out; whether batches work is found out by trying. Inputs besides the picture are filled in.
    Raises Refusal for a program that sees no picture.
    """
    shape, fillings = _inputs(given, name)
    net = unflatten_inputs(given)
    _fill(net, fillings)
    if (batch := _batch(given, fillings)) is not None and pure_graph.is_pure(given.program):
        pure_graph.mark(net, batch)
    return quiet(net).eval(), shape


def _batch(given: Exported, fillings: Mapping[int, FilledInput]) -> int | None:
    """Return how many pictures a program takes at a time, 0 for any number; None where that is to be found out."""
    name = next(own for at, own in enumerate(given.program.graph_signature.user_inputs) if at not in fillings)
    node = next(node for node in given.program.graph.nodes if node.op == "placeholder" and node.name == name)
    sides = _sides(given, name, node.meta["val"])
    return sides[0] if sides[0] in (0, 1) else None


def unflatten_inputs(given: Exported) -> fx.GraphModule:
    """Return the network of a program, which takes its inputs one by one, in their order."""
    program = given.program
    tree: Any = torch.export.unflatten(program)
    for path, module in list(tree.named_modules()):
        if path and (made := _plain(module)) is not None:
            owner, _, last = path.rpartition(".")
            setattr(tree.get_submodule(owner), last, made)
    bounded_arithmetic.bound(tree.modules())
    for module in list(tree.modules()):
        if isinstance(module, InterpreterModule):
            # Recompile: unflattening renames a module that is called twice, and the interpreter would use the old name.
            module.__dict__["_run_with_interpreter"] = False
            module.finalize()
            _call_by_kind(module)
        elif isinstance(module, fx.GraphModule):
            quiet(module)
    net = fx.GraphModule(tree, tree.graph)
    spec = program.call_spec.out_spec
    if spec is not None and spec.type is dict:
        node = next(node for node in net.graph.nodes if node.op == "output")
        node.args = (dict(zip(spec.context, node.args[0], strict=False)),)
        net.recompile()
    net.__class__.__name__ = _kind(tree) or "Program"
    return quiet(net).eval()


def _inputs(given: Exported, name: str) -> tuple[tuple[int, int, int], dict[int, FilledInput]]:
    """Return the picture's channels, height and width, and by their place the inputs besides it, filled in.

    Raises Refusal for a program without a picture, or with an input of which nothing is known.
    """
    program = given.program
    wanted = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    values = [nodes[one].meta.get("val") if one in nodes else None for one in wanted]
    told = [
        (str(one), _sides(given, one, v), v.dtype)
        for one, v in zip(wanted, values, strict=True)
        if isinstance(v, Tensor)
    ]
    pictures = [at for at, (_, sides, dtype) in enumerate(told) if len(sides) == 4 and dtype.is_floating_point]
    coloured = [at for at in pictures if told[at][1][1] == 3] or pictures
    if len(told) != len(wanted) or len(coloured) != 1:
        if len(told) == len(wanted) and not pictures:
            raise described(name, told)
        shapes = ", ".join(" x ".join(str(side or "?") for side in sides) for _, sides, _ in told) or "none"
        raise Refusal(
            f"{name} takes no picture alone (inputs: {shapes}).", advice="A picture is N x 3 x height x width."
        )
    fillings = {}
    for at, (own, sides, dtype) in enumerate(told):
        if at == coloured[0]:
            continue
        made = FilledInput(own, sides, dtype, len(fillings) + 2)
        if not made.choices:
            raise filled_inputs.unknown(name, own, sides, dtype)
        fillings[at] = made
    sides = told[coloured[0]][1]
    return (sides[1], sides[2], sides[3]), fillings


def _sides(given: Exported, name: str, value: Tensor) -> list[int]:
    free = given.free.get(name, ())
    return [0 if at in free else int(side) for at, side in enumerate(value.shape)]


def _fill(net: fx.GraphModule, fillings: dict[int, FilledInput]) -> None:
    """Put modules that make the inputs besides the picture in the place of those inputs."""
    entries = [node for node in net.graph.nodes if node.op == "placeholder"]
    picture = next((node for at, node in enumerate(entries) if at not in fillings), None)
    if not fillings or picture is None:
        return
    net.add_module(ENTRY, nn.ModuleDict({made.key: made for made in fillings.values()}))
    for at, made in fillings.items():
        with net.graph.inserting_after(entries[-1]):
            filled = net.graph.call_module(f"{ENTRY}.{made.key}", (picture,))
        entries[at].replace_all_uses_with(filled)
        net.graph.erase_node(entries[at])
    net.recompile()


def _kind(module: Any) -> str:
    """Return the name of a module's original class, without its package."""
    name = str(getattr(module, "_ty", "") or "").rpartition(".")[2].partition("@")[0]
    return name if name.isidentifier() and len(name) < 64 else ""


def _call_by_kind(module: Any) -> None:
    """Set the module's class name to that of its original class."""
    if (kind := _kind(module)) and type(module).__name__ == "InterpreterModule":
        module.__class__ = type(kind, (type(module),), {})


def _plain(module: nn.Module) -> nn.Module | None:
    """Return a PyTorch layer equivalent to the module, with the same parameters; None if there is none."""
    graph = getattr(module, "graph", None)
    if graph is None or any(module.children()):
        return None
    calls = [node for node in graph.nodes if node.op == "call_function"]
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(calls) != 1 or len(inputs) != 1 or not calls[0].args or calls[0].args[0] is not inputs[0]:
        return None
    target = calls[0].target
    schema = getattr(target, "_schema", None)
    if schema is None or not str(schema.name).startswith("aten::"):
        return None
    given = {argument.name: argument.default_value for argument in schema.arguments if argument.has_default_value()}
    given |= {argument.name: value for argument, value in zip(schema.arguments, calls[0].args, strict=False)}
    given |= calls[0].kwargs
    given = {key: _reached(module, value) for key, value in given.items()}
    kind = str(schema.name).removeprefix("aten::")
    if kind.removesuffix("_") in ONE:
        return ONE[kind.removesuffix("_")]()
    build = LAYERS.get(kind)
    return build(given) if build else None


def _reached(module: nn.Module, value: Any) -> Any:
    """Return the tensor that a node refers to, None for other nodes; any other value unchanged."""
    if isinstance(value, fx.Node):
        return getattr(module, str(value.target), None) if value.op == "get_attr" else None
    return value


def _holding(made: nn.Module, given: dict[str, Any], *names: str) -> nn.Module:
    """Assign a program's tensors to a layer."""
    for name in names:
        if given.get(name) is None and getattr(made, name, None) is not None:
            setattr(made, name, None)
        elif given.get(name) is not None:
            setattr(made, name, given[name])
    return made


def _conv(given: dict[str, Any]) -> nn.Module | None:
    weight, padding = given["weight"], given["padding"]
    if not isinstance(weight, nn.Parameter):
        return None
    sides: dict[str, Any] = {name: tuple(given[name]) for name in ("stride", "dilation")}
    kernel: Any = tuple(weight.shape[2:])
    padding = padding if isinstance(padding, str) else tuple(padding)
    channels = weight.shape[1] * given["groups"], weight.shape[0]
    with torch.device("meta"):
        made = nn.Conv2d(*channels, kernel, padding=padding, groups=given["groups"], **sides)
    return _holding(made, given, "weight", "bias")


def _linear(given: dict[str, Any]) -> nn.Module | None:
    weight = given["weight"]
    if not isinstance(weight, nn.Parameter):
        return None
    with torch.device("meta"):
        made = nn.Linear(weight.shape[1], weight.shape[0])
    return _holding(made, given, "weight", "bias")


def _batch_norm(given: dict[str, Any]) -> nn.Module | None:
    mean = given["running_mean"]
    if mean is None or given["training"] or not isinstance(given["weight"], nn.Parameter):
        return None
    made = nn.BatchNorm2d(len(mean), eps=given["eps"], momentum=given["momentum"])
    return _holding(made, given, "weight", "bias", "running_mean", "running_var")


def _layer_norm(given: dict[str, Any]) -> nn.Module | None:
    if not isinstance(given["weight"], nn.Parameter):
        return None
    return _holding(nn.LayerNorm(list(given["normalized_shape"]), eps=given["eps"]), given, "weight", "bias")


def _pool(given: dict[str, Any]) -> nn.Module:
    sizes = {name: _side(given[name]) for name in ("kernel_size", "stride", "padding")}
    sizes["stride"] = sizes["stride"] or sizes["kernel_size"]
    if "dilation" in given:
        return nn.MaxPool2d(**sizes, dilation=_side(given["dilation"]), ceil_mode=given["ceil_mode"])
    more = {name: given[name] for name in ("ceil_mode", "count_include_pad", "divisor_override")}
    return nn.AvgPool2d(**sizes, **more)


def _side(value: Any) -> Any:
    return tuple(value) * (2 if len(value) == 1 else 1)


LAYERS: dict[str, Callable[[dict[str, Any]], nn.Module | None]] = {
    "conv2d": _conv,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "adaptive_avg_pool2d": lambda given: nn.AdaptiveAvgPool2d(tuple(given["output_size"])),
    "gelu": lambda given: nn.GELU(approximate=given["approximate"]),
    "leaky_relu": lambda given: nn.LeakyReLU(given["negative_slope"]),
    "hardtanh": lambda given: nn.Hardtanh(given["min_val"], given["max_val"]),
    "dropout": lambda given: nn.Dropout(given["p"]),
}
