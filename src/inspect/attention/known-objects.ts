/** The objects in the images that maps are measured on, and what there is to say about them. */
import type { ImageSet } from "../../data/images.ts";
import { plural, some } from "../../data/names.ts";
import type { Objects } from "../../data/objects.ts";
import { squareObjects } from "../../data/square-objects.ts";
import { SelfsightError, UsageError } from "../../errors.ts";
import { type WithoutMap, withoutMap } from "./localisation.ts";

export class KnownObjects {
  private readonly set: ImageSet;
  private readonly maskClass: number | undefined;
  /** Names of images with boxes that were clipped or dropped, once for each box, and of images without objects. */
  private readonly faults = { clipped: [] as string[], dropped: [] as string[], none: [] as string[] };
  private readonly found = { area: [] as number[], centre: [] as number[], whole: [] as number[] };

  /** @param maskClass the value that objects have in masks; default: all but 0 */
  constructor(set: ImageSet, maskClass: number | undefined) {
    this.set = set;
    this.maskClass = maskClass;
  }

  /**
   * What is in the squares that images are decoded to: undefined for an image without objects. Call it once for each image, in order.
   * @param sizes of the squares; the notes are about the first
   */
  async read(images: readonly number[], sizes: readonly number[]) {
    const all = await Promise.all(images.map((i) => this.set.objects?.(i)));
    const bare = all.findIndex((objects) => objects && !objects.mask);
    if (bare >= 0 && this.maskClass !== undefined)
      throw new UsageError(
        `${this.set.id(images[bare] as number)} has no mask, and --mask-class is ${this.maskClass}: leave that out to measure by boxes.`,
      );
    const bySize = new Map(
      sizes.map((size) => [size, all.map((objects) => objects && squareObjects(objects, size, this.maskClass))]),
    );
    const [size = 0] = sizes;
    for (const [k, square] of (bySize.get(size) ?? []).entries()) {
      this.note(this.set.id(images[k] as number), all[k], square !== undefined);
      const values: WithoutMap | undefined = square && withoutMap(square, size);
      for (const key of ["area", "centre", "whole"] as const) this.found[key].push(values?.[key] ?? Number.NaN);
    }
    return bySize;
  }

  private note(id: string, objects: Objects | undefined, seen: boolean): void {
    for (const kind of ["clipped", "dropped"] as const)
      for (let box = 0; box < (objects?.[kind] ?? 0); box++) this.faults[kind].push(id);
    if (!seen) this.faults.none.push(id);
  }

  /** For each image so far: what needs no map. Undefined if none has an object. */
  withoutMap(): Record<keyof WithoutMap, Float64Array> | undefined {
    if (this.faults.none.length === this.found.area.length) return undefined;
    const { area, centre, whole } = this.found;
    return { area: Float64Array.from(area), centre: Float64Array.from(centre), whole: Float64Array.from(whole) };
  }

  /** One sentence for each kind of fault. @throws SelfsightError if no mask has the class that was asked for */
  notes(): string[] {
    const { clipped, dropped, none } = this.faults;
    const all = this.found.area.length;
    const which = this.maskClass === undefined ? "an object" : `an object of value ${this.maskClass} in its mask`;
    if (all && none.length === all) {
      const what = `None of the ${plural(all, "image")} that were measured has ${which} inside the square that encoders see`;
      if (this.maskClass !== undefined) throw new SelfsightError(`${what}: is it the right --mask-class?`);
      return [
        `${what}, so that nothing was measured of objects. Expected Annotations/NAME.xml with boxes or masks/NAME.png with values above 0 beside the images.`,
      ];
    }
    const names = (ids: readonly string[]) => some(new Set(ids));
    return [
      ...(none.length
        ? [`${plural(none.length, "image")} without ${which} left out of these numbers: ${names(none)}.`]
        : []),
      ...(clipped.length
        ? [
            `${plural(clipped.length, "box", "boxes")} reached beyond the image and ${were(clipped.length)} clipped: ${names(clipped)}.`,
          ]
        : []),
      ...(dropped.length
        ? [
            `${plural(dropped.length, "box", "boxes")} without an area inside the image ${were(dropped.length)} left out: ${names(dropped)}.`,
          ]
        : []),
    ];
  }
}

const were = (count: number) => (count === 1 ? "was" : "were");
