"""How every peer reports: one JSON line per round, on request or a fixed number of times."""
import json
import sys


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=3, help="rounds to measure when nobody asks for them")
    parser.add_argument("--serve", action="store_true", help="stay alive, measure one round per line read from stdin")


def report(**fields):
    print(json.dumps(fields), flush=True)


def run(arguments, measure, **case):
    """Calls `measure() -> float` once per round and prints {**case, "value": float}.

    With --serve, it first prints {"ready": true}, so that the caller can alternate its own rounds with these:
    on a noisy machine only alternating rounds can be compared.
    """
    if not arguments.serve:
        for _ in range(arguments.rounds):
            report(**case, value=measure())
        return
    report(**case, ready=True)
    for _ in sys.stdin:
        report(**case, value=measure())
