/** Scans a folder for images and files of other formats, and notes what is left out and why. Nothing is decoded. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { isSign } from "../setup/lock.ts";
import { FileTable } from "./file-table.ts";
import { LeftOut } from "./left-out.ts";
import { headOf, isImageName, type Kind, kindOf } from "./magic.ts";
import { diskPath, type Entry, entriesOf, isForeign, readable, shown, statIfThere } from "./names.ts";
import { isAnnotations } from "./parts.ts";

/** A folder and its contents. */
export interface Folder {
  name: string;
  /** Relative to the root; "" for the root. */
  path: string;
  /** Images directly in it (`own`), and in it and all folders below (`total`). */
  own: number;
  total: number;
  /** Sorted by name. */
  children: Folder[];
}

export interface Scan {
  root: string;
  images: FileTable;
  /** For each of `images.folders`: a digest of the names, sizes and dates of its images. */
  digests: string[];
  tree: Folder;
  /** Paths, relative to the root, of files that may hold many images, and of label files (`metadata`). */
  collections: string[];
  metadata: string[];
  leftOut: LeftOut;
}

export interface ScanOptions {
  /** Whether a file of this name may hold many images. */
  isCollection: (name: string) => boolean;
  /** A file that is used otherwise: no note says that it is no image. */
  known?: string | undefined;
}

/** Folders that cameras, desktops and network drives leave behind. No folder of images has such a name. */
const JUNK = new Set(["@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found", "#recycle"]);

const METADATA = /^metadata\.(csv|jsonl|parquet)$/i;

/** Marks of a run folder (train/run.ts): a configuration, and something that only a run writes. */
const RUN = [
  "config.yaml",
  ["encoder.safetensors", "status.json", "metrics.jsonl", "env.json", "checkpoints"],
] as const;

/** Files of up to this many bytes are looked into despite their image names: they may be Git LFS pointers. */
const SMALL = 200;

/** Looking into a file takes as long as listing it, so only this many PNGs are checked for our own contact sheets. */
const SHEET_LOOKS = 20_000;

/** Files with a text extension are looked into until this many with the same extension held no image. */
const TEXT = /\.(txt|xml|json|jsonl|csv|tsv|ya?ml|md|html?|py|js|ts|log|mat|npy|npz|pts|sh|pdf|tex|ini|cfg)$/i;
const TEXT_LOOKS = 100;

/**
 * Walks depth first, sorted by name, so that the result is the same on every machine. Hidden files are skipped. Links
 * are followed, except those to a parent folder.
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
  private readonly known: string | undefined;

  constructor(root: string, options: ScanOptions) {
    this.root = root;
    this.options = options;
    this.known = options.known && resolve(options.known);
  }

  result(): Scan {
    const { root, images, digests, collections, metadata, tree, leftOut } = this;
    return { root, images, digests, tree, collections, metadata, leftOut };
  }

  visit(path: string, name: string, ancestors: ReadonlySet<string>): Folder | undefined {
    const place = join(this.root, path);
    const { dev, ino } = readable(place, () => statSync(diskPath(place), { bigint: true }));
    const identity = `${dev}:${ino}`;
    if (ancestors.has(identity)) return undefined; // a link to a parent folder
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

  /** Size and date of a usable image. Undefined for other files, which are kept or noted. */
  private statOfImage(file: string, name: string): { size: number; mtimeMs: number } | undefined {
    const known = isImageName(name);
    if (!known && this.isOfUse(file, name)) return undefined;
    if (!known && !this.worthALook(name)) {
      this.leftOut.add("other", name);
      return undefined;
    }
    const place = join(this.root, file);
    const stats = statIfThere(place);
    if (!stats?.isFile()) return undefined; // deleted meanwhile
    if (known && stats.size > SMALL && !this.maybeSheet(name)) return stats;
    const kind = kindOf(name, headOf(place));
    if (kind.is === "image" || (known && kind.is === "other")) return stats; // the decoder says what is wrong with it
    this.note(kind, name);
    return undefined;
  }

  private isOfUse(file: string, name: string): boolean {
    if (this.known === resolve(this.root, file)) return true;
    if (/\.xml$/i.test(file) && isAnnotations(basename(dirname(file)))) return true;
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
  if (names.length && names.every((name) => isSign("lock", name))) return true; // a run that is about to start
  return names.includes(config) && marks.some((mark) => names.includes(mark));
}
