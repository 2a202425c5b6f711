/** What is printed. Nobody may be reading any more (`| head`, a closed terminal, a full disk): the work goes on all the same. */

/** Nobody reads: the reader has ended, or the terminal is gone. That is no failure. */
const GONE = new Set(["EPIPE", "EIO", "ERR_STREAM_DESTROYED"]);

let [onlyPrinted, complained] = [false, false];

/** From here on nothing that cannot be printed ends the process; what a full disk swallowed is said once, on stderr. */
export function outliveReaders(): void {
  process.stderr.on("error", () => {});
  process.stdout.on("error", ({ code = "", message }: NodeJS.ErrnoException) => {
    if (GONE.has(code) || complained) return;
    complained = true;
    process.stderr.write(`Standard output cannot be written to: ${message}.\n`);
    if (onlyPrinted) process.exitCode = 1;
  });
}

/** Prints what is kept nowhere else: where that fails, the command has failed. */
export function print(text: string): void {
  onlyPrinted = true;
  process.stdout.write(`${text}\n`);
}
