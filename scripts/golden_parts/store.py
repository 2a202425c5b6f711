"""Fixtures on disk: safetensors without a package, and JSON. Writes them, or compares with the stored ones."""
import json
import struct
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "golden"
DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16",
    torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
}


def encode_safetensors(tensors, metadata=None):
    """https://github.com/huggingface/safetensors#format: header size (u64), JSON header, bytes end to end."""
    header, blobs, at = {"__metadata__": metadata} if metadata else {}, [], 0
    for key, tensor in tensors.items():
        blob = bytes(tensor.detach().contiguous().view(-1).view(torch.uint8).tolist()) if tensor.numel() else b""
        header[key] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(blobs)


def decode_safetensors(data):
    (size,) = struct.unpack_from("<Q", data)
    header, body, tensors = json.loads(data[8 : 8 + size]), data[8 + size :], {}
    dtypes = {name: dtype for dtype, name in DTYPES.items()}
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        raw = torch.tensor(list(body[start:end]), dtype=torch.uint8)
        tensors[key] = raw.view(dtypes[entry["dtype"]]).reshape(entry["shape"])
    return tensors


class Writer:
    def tensors(self, name, tensors, metadata=None):
        (FOLDER / name).write_bytes(encode_safetensors(tensors, metadata))

    def json(self, name, value):
        (FOLDER / name).write_text(dump(value))


class Checker:
    """Compares with the stored files instead of writing: does another torch compute the same?"""

    def __init__(self, tolerance=1e-4):
        self.tolerance, self.worst, self.failures = tolerance, 0.0, []

    def tensors(self, name, tensors, metadata=None):
        stored = decode_safetensors((FOLDER / name).read_bytes())
        if stored.keys() != tensors.keys():
            self.failures.append(f"{name}: other keys than stored: {sorted(stored.keys() ^ tensors.keys())}")
        for key in stored.keys() & tensors.keys():
            self.compare(f"{name} {key}", stored[key], tensors[key].detach())

    def compare(self, label, stored, computed):
        if stored.shape != computed.shape or stored.dtype != computed.dtype:
            self.failures.append(f"{label}: stored {stored.shape} {stored.dtype}, computed {computed.shape} {computed.dtype}")
        elif stored.numel():
            error = ((stored.double() - computed.double()).abs() / (1 + stored.double().abs())).max().item()
            self.worst = max(self.worst, error)
            if not error <= self.tolerance:
                self.failures.append(f"{label}: differs by {error:.2g} of 1 + |stored|")

    def json(self, name, value):
        self.walk(name, json.loads((FOLDER / name).read_text()), json.loads(dump(value)))

    def walk(self, label, stored, computed):
        if isinstance(stored, dict) and isinstance(computed, dict) and stored.keys() == computed.keys():
            for key in stored.keys() - {"torch", "torchvision"}:
                self.walk(f"{label}.{key}", stored[key], computed[key])
        elif isinstance(stored, list) and isinstance(computed, list) and len(stored) == len(computed):
            for index, pair in enumerate(zip(stored, computed)):
                self.walk(f"{label}[{index}]", *pair)
        elif isinstance(stored, float) and isinstance(computed, (int, float)):
            self.compare(label, torch.tensor(stored), torch.tensor(float(computed)))
        elif stored != computed:
            self.failures.append(f"{label}: stored {stored}, computed {computed}")


def dump(value):
    """JSON with one line per entry of the outer lists and objects, for readable diffs."""
    if isinstance(value, dict) and any(isinstance(entry, (dict, list)) for entry in value.values()):
        inner = ",\n".join(f"{json.dumps(key)}: {dump(entry).strip()}" for key, entry in value.items())
        return "{\n" + inner + "\n}\n"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[\n" + ",\n".join(json.dumps(entry) for entry in value) + "\n]\n"
    return json.dumps(value) + "\n"
