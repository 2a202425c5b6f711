/** One walk through a folder: its images, the files of other formats, and what is left out and why. Nothing is decoded. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { extname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { FileTable } from "./file-table.ts";
import { LeftOut } from "./left-out.ts";
import { headOf, isImageName, type Kind, kindOf } from "./magic.ts";
import { diskPath, type Entry, entriesOf, isForeign, readable, shown, statIfThere } from "./names.ts";

/** A folder with what is in it. */
export interface Folder {
  name: string;
  /** Below the root; "" for the root. */
  path: string;
  /** Images in it, and in it and all below. */
  own: number;
  total: number;
  /** In order of names. */
  children: Folder[];
}

export interface Scan {
  root: string;
  images: FileTable;
  /** For each of `images.folders`: a digest of the names, sizes and dates of its images. */
  digests: string[];
  tree: Folder;
  /** Paths below the root of files that may hold many images, and of lists of labels. */
  collections: string[];
  metadata: string[];
  leftOut: LeftOut;
}

export interface ScanOptions {
  /** Whether a file of this name may hold many images. */
  isCollection: (name: string) => boolean;
}

/** Names of what cameras, desktops and network drives leave behind; no folder of images is called so. */
const JUNK = new Set(["@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found", "#recycle"]);

const METADATA = /^metadata\.(csv|jsonl|parquet)$/i;

/** A folder of train/run.ts: a configuration, and something that only a run leaves. */
const RUN = [
  "config.yaml",
  ["encoder.safetensors", "status.json", "metrics.jsonl", "env.json", "checkpoints"],
] as const;

/** Smaller files are looked into, though their names say what they are: they may stand for a file in Git LFS. */
const SMALL = 200;

/** Looking into a file takes as long as listing it: PNGs are looked into for our own sheets up to that many. */
const SHEET_LOOKS = 20_000;

/** Files of an ending that usually is of text are looked into, until that many held no image. */
const TEXT = /\.(txt|xml|json|jsonl|csv|tsv|ya?ml|md|html?|py|js|ts|log|mat|npy|npz|pts|sh|pdf|tex|ini|cfg)$/i;
const TEXT_LOOKS = 100;

/**
 * Walks depth first in order of names, so that a listing is the same on every machine. Hidden files are passed over;
 * links are followed, but for those that lead back up.
 * @throws UsageError when a folder cannot be read, or the root is a run folder
 */
export function scanFolder(root: string, options: ScanOptions): Scan {
  const scan = new Scanner(root, options);
  scan.visit("", "", new Set());
  return scan.result();
}

class Scanner {
  private readonly images = new FileTable();
  private readonly digests: string[] = [];
  private readonly collections: string[] = [];
  private readonly metadata: string[] = [];
  private readonly leftOut = new LeftOut();
  private readonly textLooks = new Map<string, number>();
  private sheetLooks = 0;
  private tree: Folder = { name: "", path: "", own: 0, total: 0, children: [] };
  private readonly root: string;
  private readonly options: ScanOptions;

  constructor(root: string, options: ScanOptions) {
    this.root = root;
    this.options = options;
  }

  result(): Scan {
    const { root, images, digests, collections, metadata, tree, leftOut } = this;
    return { root, images, digests, tree, collections, metadata, leftOut };
  }

  visit(path: string, name: string, ancestors: ReadonlySet<string>): Folder | undefined {
    const place = join(this.root, path);
    const { dev, ino } = readable(place, () => statSync(diskPath(place), { bigint: true }));
    const identity = `${dev}:${ino}`;
    if (ancestors.has(identity)) return undefined; // a link back up
    const { folders, files } = this.list(place);
    if (isRun([...folders, ...files])) {
      if (!path) throw new UsageError(`${shown(this.root)} is a run folder of Selfsight, and no folder of images.`);
      this.leftOut.add("run", path);
      return undefined;
    }
    const folder: Folder = { name, path, own: this.addFiles(path, files.sort()), total: 0, children: [] };
    if (!path) this.tree = folder;
    folder.total = folder.own;
    const above = new Set(ancestors).add(identity);
    for (const child of folders.sort()) {
      const below = this.visit(join(path, child), child, above);
      if (!below) continue;
      folder.children.push(below);
      folder.total += below.total;
    }
    return folder;
  }

  private list(place: string): { folders: string[]; files: string[] } {
    const folders: string[] = [];
    const files: string[] = [];
    for (const entry of entriesOf(place)) {
      if (entry.name.startsWith(".")) continue;
      if (entry.kind === "file") files.push(entry.name);
      else if (entry.kind === "folder") {
        if (!JUNK.has(entry.name.toLowerCase())) folders.push(entry.name);
      } else this.leave(entry);
    }
    return { folders, files };
  }

  private leave({ name, link }: Entry): void {
    this.leftOut.add(link ? "link" : "other", name);
  }

  /** @returns how many of the files are images */
  private addFiles(path: string, names: readonly string[]): number {
    const before = this.images.length;
    let digest: ReturnType<typeof createHash> | undefined;
    const foreign = isForeign(path);
    for (const name of names) {
      const file = join(path, name);
      const stats = this.statOfImage(file, name);
      if (!stats) continue;
      this.images.add(path, name);
      digest ??= createHash("sha256");
      digest.update(`${name} ${stats.size} ${stats.mtimeMs}\n`);
      if (foreign || isForeign(name)) this.leftOut.add("foreign", file);
    }
    if (digest) this.digests.push(digest.digest("hex"));
    return this.images.length - before;
  }

  /** Undefined for what is no image, or none that can be used; that is kept or noted. */
  private statOfImage(file: string, name: string): { size: number; mtimeMs: number } | undefined {
    const known = isImageName(name);
    if (!known && this.isOfUse(file, name)) return undefined;
    if (!known && !this.worthALook(name)) {
      this.leftOut.add("other", name);
      return undefined;
    }
    const place = join(this.root, file);
    const stats = statIfThere(place);
    if (!stats?.isFile()) return undefined; // gone since
    if (known && stats.size > SMALL && !this.maybeSheet(name)) return stats;
    const kind = kindOf(name, headOf(place));
    if (kind.is === "image" || (known && kind.is === "other")) return stats; // the decoder says what is wrong with it
    this.note(kind, name);
    return undefined;
  }

  private isOfUse(file: string, name: string): boolean {
    const list = METADATA.test(name) ? this.metadata : this.options.isCollection(name) ? this.collections : undefined;
    list?.push(file);
    return list !== undefined;
  }

  private note(kind: Kind, name: string): void {
    if (kind.is === "unreadable") this.leftOut.addFormat(kind.format, name);
    else if (kind.is !== "image") this.leftOut.add(kind.is, name);
    const ending = extname(name).toLowerCase();
    if (kind.is === "other") this.textLooks.set(ending, (this.textLooks.get(ending) ?? 0) + 1);
  }

  private worthALook(name: string): boolean {
    return !TEXT.test(name) || (this.textLooks.get(extname(name).toLowerCase()) ?? 0) < TEXT_LOOKS;
  }

  private maybeSheet(name: string): boolean {
    return /\.png$/i.test(name) && (/preview|sheet/i.test(name) || this.sheetLooks++ < SHEET_LOOKS);
  }
}

function isRun(names: readonly string[]): boolean {
  const [config, marks] = RUN;
  return names.includes(config) && marks.some((mark) => names.includes(mark));
}
