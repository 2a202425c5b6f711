/** Counts files that were left out of a collection, or read despite an odd name, and reports each reason once. */
import { plural, some } from "./names.ts";

/** `foreign` files are read anyway: only their names are odd. */
export type Reason = "other" | "link" | "run" | "sheet" | "pointer" | "foreign";

interface Count {
  count: number;
  /** The first few. */
  names: string[];
}

const SHOWN = 3;

export class LeftOut {
  private readonly reasons = new Map<Reason, Count>();
  private readonly formats = new Map<string, Count>();

  add(reason: Reason, name: string): void {
    count(this.reasons, reason, name);
  }

  /** Counts an image of a format that cannot be decoded here. */
  addFormat(format: string, name: string): void {
    count(this.formats, format, name);
  }

  of(reason: Reason): Readonly<Count> {
    return this.reasons.get(reason) ?? { count: 0, names: [] };
  }

  /** One sentence for each reason. */
  sentences(): string[] {
    const said = [...sentences].flatMap(([reason, sentence]) => {
      const { count, names } = this.of(reason);
      return count ? [sentence(count, some(names, count, SHOWN))] : [];
    });
    return [...this.unreadable(), ...said];
  }

  private unreadable(): string[] {
    if (!this.formats.size) return [];
    const counts = [...this.formats.values()];
    const total = counts.reduce((sum, { count }) => sum + count, 0);
    const names = counts.flatMap((format) => format.names);
    const formats = [...this.formats].map(([format, { count }]) => `${count} ${format}`).join(", ");
    return [
      `${plural(total, "image")} of formats that cannot be read here ${were(total)} left out (${formats}): ` +
        `${some(names, total, SHOWN)}. Convert them to JPEG or PNG.`,
    ];
  }
}

function count<Key>(counts: Map<Key, Count>, key: Key, name: string): void {
  const entry = counts.get(key) ?? { count: 0, names: [] };
  counts.set(key, entry);
  entry.count++;
  if (entry.names.length < SHOWN) entry.names.push(name);
}

const were = (count: number) => (count === 1 ? "was" : "were");

const sentences = new Map<Reason, (count: number, names: string) => string>([
  [
    "pointer",
    (n, names) =>
      `${plural(n, "file")} only ${n === 1 ? "stands" : "stand"} for images in Git LFS and ${were(n)} left out: ${names}. Get them with "git lfs pull".`,
  ],
  [
    "link",
    (n, names) => `${plural(n, "link")} that ${n === 1 ? "leads" : "lead"} nowhere ${were(n)} left out: ${names}.`,
  ],
  ["run", (n, names) => `${plural(n, "run folder")} of Selfsight ${were(n)} left out: ${names}.`],
  ["sheet", (n, names) => `${plural(n, "contact sheet")} that Selfsight made ${were(n)} left out: ${names}.`],
  [
    "other",
    (n, names) =>
      `${plural(n, "file")} that ${n === 1 ? "is no image" : "are no images"} ${were(n)} left out: ${names}.`,
  ],
  [
    "foreign",
    (n, names) =>
      `${plural(n, "image")} whose ${n === 1 ? "name is" : "names are"} not UTF-8 ${were(n)} read; ${n === 1 ? "its name is" : "their names are"} shown with \\x and the byte: ${names}.`,
  ],
]);
