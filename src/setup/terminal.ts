/** Text for terminals: its width in columns, cutting and wrapping it, words for a shell, and durations. */
import stringWidth from "string-width";

const graphemes = new Intl.Segmenter();

/** Width of a line in columns: wide characters take two, combining marks and colours none. */
export const textWidth = (text: string): number => stringWidth(text);

/** Cuts a line that does not fit, and ends it with "…". */
export function cut(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  return `${takeFitting(text, columns - 1)}…`;
}

/** Lines of at most `columns` columns: broken between words, and inside a word that is longer than a line. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line && `${line} ${word}`;
    if (longer && textWidth(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line) lines.push(line);
    line = word;
    while (textWidth(line) > columns && !line.includes("\x1b")) {
      const part = takeFitting(line, columns);
      lines.push(part);
      line = line.slice(part.length);
    }
  }
  return [...lines, line];
}

/** The longest beginning that fits; at least one character. */
function takeFitting(text: string, columns: number): string {
  let [taken, width] = ["", 0];
  for (const { segment } of graphemes.segment(text)) {
    width += textWidth(segment);
    if (taken && width > columns) break;
    taken += segment;
  }
  return taken;
}

/** A word for a POSIX shell, in quotes where it needs them. */
export function shellWord(word: string): string {
  return /^[\w./:=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** "imageSize" as it is on a command line: "--image-size"; with `on` false "--no-image-size". */
export const flag = (name: string, on = true): string =>
  `--${on ? "" : "no-"}${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** 75,000 ms becomes "1 min 15 s". */
export function duration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return "?";
  const seconds = Math.round(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
