"""The cost of one operator call: adding two tensors of one element, nanoseconds per call.

    python3 op_call.py --grad on
"""
import argparse
import time

import torch

import rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grad", choices=("off", "on"), default="off", help="whether the operands require gradients")
    parser.add_argument("--calls", type=int, default=200_000, help="calls a round")
    rounds.add_arguments(parser)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    a = torch.ones(1, requires_grad=arguments.grad == "on")
    b = torch.ones(1, requires_grad=arguments.grad == "on")

    def measure(calls=arguments.calls):
        start = time.perf_counter_ns()
        for _ in range(calls):
            a + b
        return (time.perf_counter_ns() - start) / calls

    measure(10_000)
    case = f"add, gradients {arguments.grad}"
    rounds.run(arguments, measure, bench="op-call", case=case, unit="ns/call", torch=torch.__version__)


if __name__ == "__main__":
    main()
