/** Errors a user can act on. Exit codes of the command line: 1 failed, 2 wrong usage, 130 interrupted. */

/** Something went wrong while doing what was asked: exit code 1. The message says what to do about it. */
export class SelfsightError extends Error {
  override name = "SelfsightError";
  readonly exitCode: number = 1;
}

/** The request is invalid: an unknown name, a missing folder, a value out of range. Exit code 2. */
export class UsageError extends SelfsightError {
  override name = "UsageError";
  override readonly exitCode = 2;
}

/** The user or the system stopped the command. What can be continued was saved first: training, a benchmark, a study. Exit code 130. */
export class InterruptedError extends SelfsightError {
  override name = "InterruptedError";
  override readonly exitCode = 130;
}

/** Another process goes on with the work: nothing may be written any more. */
export class TakenOverError extends SelfsightError {
  override name = "TakenOverError";
}

/**
 * Runs file operations. If the system refuses one, throws an error with the remedy.
 * @param what the failure, as the beginning of a sentence: "runs/a cannot be written"
 */
export function onDisk<Result>(what: string, body: () => Result): Result {
  try {
    return body();
  } catch (cause) {
    throw diskError(cause, what) ?? cause;
  }
}

/** Turns a system error into an error with the remedy; undefined for an error of another kind. */
export function diskError(cause: unknown, what = refused(cause)): SelfsightError | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code = "", message, syscall } = cause as NodeJS.ErrnoException;
  if (!/^(E[A-Z\d]+|ERR_FS_\w+)$/.test(code)) return undefined;
  const full = fullDisks[code];
  if (full !== undefined)
    return new SelfsightError(`The disk is full: ${what}${full}. Make room and try again.`, { cause });
  const [reason, remedy] = refusals[code] ?? [];
  if (!reason && syscall === undefined && !code.startsWith("ERR_FS")) return undefined;
  return new SelfsightError(`${what}: ${reason ? `${reason} (${code})` : message}. ${remedy ?? ELSEWHERE}`, { cause });
}

const ELSEWHERE = "Check the path, or choose another place.";
const fullDisks: Readonly<Record<string, string>> = { ENOSPC: "", EDQUOT: " (this user's share of it is used up)" };
const PERMISSIONS = "Check the permissions, or choose another place.";
const refusals: Readonly<Record<string, readonly [reason: string, remedy?: string]>> = {
  EACCES: ["permission denied", PERMISSIONS],
  EPERM: ["it is not permitted", PERMISSIONS],
  EROFS: ["the file system can only be read", "Choose another place."],
  ENOENT: ["there is no such file or folder, and none can be made there"],
  ENOTDIR: ["a part of the path is a file, not a folder"],
  EISDIR: ["it is a folder, not a file"],
  ERR_FS_EISDIR: ["it is a folder, not a file"],
  EEXIST: ["something of that name is there already, perhaps a link that leads nowhere"],
  ENOTEMPTY: ["the folder is not empty"],
  ELOOP: ["its links lead in a circle"],
  ENAMETOOLONG: ["the name is too long"],
  EINVAL: ["the file system does not take that"],
  EXDEV: ["it would have to move to another disk"],
  EBUSY: ["another program uses it", "Close that, and try again."],
  ETXTBSY: ["another program uses it", "Close that, and try again."],
  EIO: ["the disk, or the connection to it, has failed", "Check the disk, or choose another place."],
  ESTALE: ["the network disk no longer knows it", "Try again, or choose another place."],
  EMFILE: ["too many files are open", "Raise the limit (ulimit -n) and try again."],
  ENFILE: ["too many files are open on this machine", "Close other programs and try again."],
  ENOMEM: ["memory has run out", "Close other programs and try again."],
  EFBIG: ["the file would be larger than the file system or a limit (ulimit -f) allows"],
};

/** Describes what failed from the error alone. */
function refused(cause: unknown): string {
  const { path, syscall = "" } = cause as NodeJS.ErrnoException;
  return `${path ?? "A file"} cannot be ${verbs[syscall] ?? "used"}`;
}

const verbs: Readonly<Record<string, string>> = {
  open: "opened",
  read: "read",
  readlink: "read",
  opendir: "read",
  scandir: "read",
  write: "written",
  fsync: "written",
  ftruncate: "written",
  mkdir: "made",
  mkdtemp: "made",
  rename: "renamed",
  link: "made",
  copyfile: "copied",
  unlink: "removed",
  rm: "removed",
  rmdir: "removed",
};

/** The candidate nearest to `name` by edit distance, if close enough to be a typo. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** An error for an unknown name: the name given, the likely intended one, and all candidates. */
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

/** Running out of memory, as the addon, libtorch and Node word it, for the processor and for GPUs. */
const RUN_OUT = /out of memory|(can't|cannot) allocate (memory|\d+ bytes)|array buffer allocation failed/i;

const SIZES = ["--batch-size", "--image-size", "--width", "batchSize", "imageSize", "width"];

/**
 * Turns running out of memory, which is no defect but a request too large for the machine, into an error with the remedy; undefined for an error
 * of another kind.
 * @param flags those of the command, or the keys of its file, among which are the remedies
 */
export function memoryError(cause: unknown, flags: readonly string[] = []): SelfsightError | undefined {
  if (!(cause instanceof Error) || !RUN_OUT.test(cause.message)) return undefined;
  const [line = ""] = cause.message.split("\n");
  const reason = line.replace(/ A smaller batch .*/, "").replace(/\.?$/, ".");
  const sizes = SIZES.filter((name) => flags.includes(name));
  const smaller = [
    ...(sizes.length ? [`smaller values of ${sizes.join(", ")}`] : []),
    ...(flags.includes("--task") ? ["smaller sizes among the task's own options"] : []),
  ];
  const less = smaller.length ? `Give ${smaller.join(", or ")}; or close` : "Close";
  return new SelfsightError(`There is not enough memory: ${reason} ${less} other programs, and try again.`, { cause });
}
