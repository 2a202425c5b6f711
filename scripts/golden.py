"""Writes test/fixtures/golden/ with PyTorch, or checks whether another PyTorch computes the same.

    python3 scripts/golden.py            write (the stored files come from torch 1.13)
    python3 scripts/golden.py --check    compare with what is stored, and write nothing

Needs torch and torchvision, nothing else. Nothing here is random: every number comes from golden_parts/formula.py.
"""
import argparse
import sys

import torch

from golden_parts import attention, networks, operator_cases, optimizers, revnet, rotation, starts, tasks
from golden_parts.operators import Family
from golden_parts.store import FOLDER, Checker, Writer


def write_operators(out):
    for name, add_cases in operator_cases.FAMILIES.items():
        family = Family()
        add_cases(family)
        out.tensors(f"ops-{name}.safetensors", family.stored)
        out.json(f"ops-{name}.json", family.rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of 1 + |stored value|")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    out = Checker(arguments.tolerance) if arguments.check else Writer()
    parts = (networks, revnet, optimizers, starts, rotation, tasks, attention)
    for write in (write_operators, *(part.write for part in parts)):
        write(out)
    if arguments.check:
        print("\n".join(out.failures) or "all equal", f"\nworst difference {out.worst:.2g}, torch {torch.__version__}")
        sys.exit(1 if out.failures else 0)


if __name__ == "__main__":
    main()
