"""Calls one operator by its dispatcher name and records arguments, outputs and gradients."""
import torch

from golden_parts.formula import values

NAMES = {
    torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16",
    torch.int64: "i64", torch.int32: "i32", torch.uint8: "u8", torch.bool: "bool",
}


class Family:
    """The cases of one family: tensors for the safetensors file, rows for the JSON index."""

    def __init__(self):
        self.stored, self.rows = {}, []

    def case(self, name, *arguments, gradients=True):
        """`name` is e.g. "conv2d" or "add.Tensor"; arguments are in the schema's order, keyword-only ones included."""
        base, _, overload = name.partition(".")
        operator = getattr(getattr(torch.ops.aten, base), overload or "default")
        prefix = f"{len(self.rows):02d}.{name}"
        in_place = base.endswith("_")
        if in_place:
            arguments = [clone(argument) for argument in arguments]
        row = {"op": f"aten::{name}", "args": [self.store(f"{prefix}.arg{i}", a) for i, a in enumerate(arguments)]}
        leaves = {} if in_place or not gradients else {
            f"{prefix}.arg{i}{suffix}": leaf
            for i, argument in enumerate(arguments)
            for suffix, leaf in floating(argument)
        }
        buffers = before(row["args"], self.stored)
        for leaf in leaves.values():
            leaf.requires_grad_(not is_constant(base, leaf, arguments))
        leaves = {key: leaf for key, leaf in leaves.items() if leaf.requires_grad}
        result = operator(*positional(operator, arguments), **keywords(operator, arguments))
        result = arguments[0] if in_place else result
        outputs = list(result) if isinstance(result, (tuple, list)) else [result]
        row["outputs"] = [self.keep(f"{prefix}.out{i}", output) for i, output in enumerate(outputs)]
        if in_place:
            row["inPlace"] = True  # the outputs are the first argument after the call
        self.add_mutated(row, prefix, buffers, arguments)
        differentiable = [(i, output) for i, output in enumerate(outputs) if output.requires_grad]
        if leaves and differentiable:
            cotangents = [values(f"{prefix}.cotangent{i}", *output.shape, dtype=output.dtype) for i, output in differentiable]
            row["cotangents"] = {
                str(i): self.keep(f"{prefix}.cotangent{i}", c) for (i, _), c in zip(differentiable, cotangents)
            }
            found = torch.autograd.grad([o for _, o in differentiable], list(leaves.values()), cotangents, allow_unused=True)
            row["gradients"] = {
                key: self.keep(f"{key}.grad", grad) for key, grad in zip(leaves, found) if grad is not None
            }
        self.rows.append(row)

    def keep(self, key, tensor):
        self.stored[key] = tensor.detach().clone()
        return key

    def store(self, key, argument):
        if isinstance(argument, torch.Tensor):
            return {"tensor": self.keep(key, argument)}
        if isinstance(argument, torch.dtype):
            return {"dtype": NAMES[argument]}
        if isinstance(argument, list) and any(isinstance(entry, torch.Tensor) for entry in argument):
            return {
                "tensors": [None if entry is None else self.keep(f"{key}.{i}", entry) for i, entry in enumerate(argument)]
            }
        return argument

    def add_mutated(self, row, prefix, buffers, arguments):
        """Records arguments that the operator changed besides its outputs, like batch norm's running statistics."""
        changed = {
            str(i): self.keep(f"{prefix}.arg{i}.after", arguments[i])
            for i, old in buffers.items()
            if not row.get("inPlace") and not torch.equal(old, arguments[i].detach())
        }
        if changed:
            row["mutated"] = changed


def before(encoded, stored):
    return {i: stored[e["tensor"]] for i, e in enumerate(encoded) if isinstance(e, dict) and "tensor" in e}


def is_constant(base, leaf, arguments):
    """Running statistics and class weights take no gradient."""
    constants = {"batch_norm": arguments[3:5], "cross_entropy_loss": arguments[2:3]}.get(base, ())
    return any(leaf is constant for constant in constants)


def clone(argument):
    if isinstance(argument, torch.Tensor):
        return argument.clone()
    if isinstance(argument, list):
        return [clone(entry) for entry in argument]
    return argument


def floating(argument):
    if isinstance(argument, torch.Tensor) and argument.is_floating_point():
        return [("", argument)]
    if isinstance(argument, list):
        return [
            (f".{i}", entry)
            for i, entry in enumerate(argument)
            if isinstance(entry, torch.Tensor) and entry.is_floating_point()
        ]
    return []


def positional(operator, arguments):
    return [a for a, declared in zip(arguments, operator._schema.arguments) if not declared.kwarg_only]


def keywords(operator, arguments):
    return {d.name: a for a, d in zip(arguments, operator._schema.arguments) if d.kwarg_only}
