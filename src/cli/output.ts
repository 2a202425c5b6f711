/** Printing. If the reader is gone (`| head`, a closed terminal) or the disk is full, the work still goes on. */

/** The reader has ended, or the terminal is gone. That is not a failure. */
const GONE = new Set(["EPIPE", "EIO", "ERR_STREAM_DESTROYED"]);

let [onlyPrinted, complained] = [false, false];

/** From here on, output that cannot be printed does not end the process. Loss to a full disk is reported once, on stderr. */
export function outliveReaders(): void {
  process.stderr.on("error", () => {});
  process.stdout.on("error", ({ code = "", message }: NodeJS.ErrnoException) => {
    if (GONE.has(code) || complained) return;
    complained = true;
    process.stderr.write(`Standard output cannot be written to: ${message}.\n`);
    if (onlyPrinted) process.exitCode = 1;
  });
}

/** Prints output that is stored nowhere else: if that fails, the command has failed. */
export function print(text: string): void {
  onlyPrinted = true;
  process.stdout.write(`${text}\n`);
}
