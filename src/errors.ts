/** Errors a user can act on. Exit codes of the command line: 1 failed, 2 wrong usage, 130 interrupted. */

/** Something went wrong while doing what was asked: exit code 1. The message says what to do about it. */
export class SelfsightError extends Error {
  override name = "SelfsightError";
  readonly exitCode: number = 1;
}

/** What was asked cannot be meant: an unknown name, a missing folder, a value out of range. Exit code 2. */
export class UsageError extends SelfsightError {
  override name = "UsageError";
  override readonly exitCode = 2;
}

/** The user or the system stopped the run; everything was saved first. Exit code 130. */
export class InterruptedError extends SelfsightError {
  override name = "InterruptedError";
  override readonly exitCode = 130;
}

/**
 * Runs what touches files; what the file system refuses becomes an error with the remedy.
 * @param what could not be done, as the beginning of a sentence: "runs/a cannot be written"
 */
export function onDisk<Result>(what: string, body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const remedy = code === undefined ? undefined : remedies[code];
    if (!remedy) throw cause;
    throw new SelfsightError(remedy(what, message), { cause });
  }
}

const full = (what: string) => `The disk is full: ${what}. Make room and try again.`;
const denied = (what: string, reason: string) => `${what}: ${reason}. Check the permissions, or choose another place.`;
const remedies: Readonly<Record<string, (what: string, reason: string) => string>> = {
  ENOSPC: full,
  EDQUOT: full,
  EACCES: denied,
  EPERM: denied,
  EROFS: denied,
  ENOTDIR: denied,
};

/** The candidate nearest to `name` by edit distance, if near enough to be a slip of the finger. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** A sentence for an unknown name: what came, what was perhaps meant, what there is. */
export function unknownName(kind: string, name: string, candidates: readonly string[]): UsageError {
  const guess = nearest(name, candidates);
  const hint = guess ? `Did you mean "${guess}"? ` : "";
  return new UsageError(`Unknown ${kind} "${name}". ${hint}There are: ${candidates.join(", ")}.`);
}

/** Levenshtein distance with one row of memory. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
