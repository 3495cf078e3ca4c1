"""Short programs to copy that measure with plain PyTorch what the Gradients panel shows, for this network's layers."""

from __future__ import annotations

NORMS = """\
# The size of the gradient by layer. net, x and loss_of are yours.
loss = loss_of(net(x))
weights = dict(net.named_parameters())
gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
for name, gradient in zip(weights, gradients):
    size = 0.0 if gradient is None else gradient.norm().item()
    print(f"{name}: gradient {size:.3g}, weight {weights[name].norm().item():.3g}")
"""
HOOK = """\
# The gradient of a layer's output. A hook on the tensor also works where the next call writes in place
# (ReLU(inplace=True)), where register_full_backward_hook raises an error.
def keep(module, inputs, output):
    output.register_hook(lambda gradient: print("{layer}", tuple(gradient.shape), gradient.norm().item()))

handle = net.get_submodule("{layer}").register_forward_hook(keep)
loss_of(net(x)).backward()
handle.remove()
net.zero_grad()
"""
UNTOUCHED = """\
# The same without touching the network: its .grad and its running statistics stay as they are.
weights = {name: value.detach().requires_grad_() for name, value in net.named_parameters()}
buffers = {name: value.clone() for name, value in net.named_buffers()}
loss = loss_of(torch.func.functional_call(net, {**weights, **buffers}, (x,)))
gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
"""
ACCUMULATE = """\
# One large batch in small parts. Equal to the large batch only if nothing couples the pictures of a batch:
# in training mode BatchNorm does.
optimizer.zero_grad()
for part, labels in zip(x.split(size), y.split(size)):
    loss = torch.nn.functional.cross_entropy(net(part), labels)
    (loss * len(part) / len(x)).backward()
optimizer.step()
"""
CONFLICT = """\
# Do two losses pull a layer in different directions? One forward pass, two ways back.
output = net(x)
weights = list(net.get_submodule("{layer}").parameters())
one = torch.autograd.grad(loss_of(output), weights, retain_graph=True)
other = torch.autograd.grad(other_loss_of(output), weights)
flat = [torch.cat([gradient.flatten() for gradient in each]) for each in (one, other)]
print("cosine", torch.nn.functional.cosine_similarity(*flat, dim=0).item())
"""


def programs(layer: str) -> list[tuple[str, str]]:
    """Return titles and programs; `layer` is the path of the layer that some of them look at."""
    return [
        ("Size by layer", NORMS),
        ("Hook on a layer", HOOK.replace("{layer}", layer)),
        ("Without touching the network", UNTOUCHED),
        ("Accumulate gradients", ACCUMULATE),
        ("Two losses", CONFLICT.replace("{layer}", layer)),
    ]
