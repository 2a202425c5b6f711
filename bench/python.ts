/** Finds the Python that the peers run in. */
import { SelfsightError } from "../src/errors.ts";
import { run } from "../src/setup/process.ts";

export interface Python {
  path: string;
  /** `torch.__version__`. */
  torch: string;
}

const versions = "import torch, torchvision, PIL; print(torch.__version__)";

/**
 * `chosen` or $SELFSIGHT_PYTHON if given, else the first of /usr/bin/python3 and python3 that has torch, torchvision and PIL.
 * Throws SelfsightError if none has, or if the requested one does not.
 */
export async function findPython(chosen = process.env["SELFSIGHT_PYTHON"]): Promise<Python> {
  const failures: string[] = [];
  for (const path of chosen ? [chosen] : ["/usr/bin/python3", "python3"]) {
    const { code, stdout, output } = await run(path, ["-c", versions], { timeoutSeconds: 120 });
    if (code === 0) return { path, torch: stdout.trim() };
    failures.push(`  ${path}: ${output.trim().split("\n").at(-1)}`);
  }
  throw new SelfsightError(
    [
      "The benchmarks compare with PyTorch, and need a Python with torch, torchvision and PIL:",
      ...failures,
      "On Debian: apt-get install python3-torch python3-torchvision. Elsewhere: pip install torch torchvision.",
      "Another Python: npm run bench -- --python PATH, or SELFSIGHT_PYTHON.",
    ].join("\n"),
  );
}
