/** How large the images of a set are, before they are resized. */
import { imageSize } from "./decode.ts";
import { type ImageSet, spreadOver } from "./images.ts";

export interface Sizes {
  /** Images looked at: all, or a sample spread over the set. */
  looked: number;
  /** Of their shorter sides, in pixels: the smallest, the median, and the largest. */
  least: number;
  median: number;
  most: number;
  /** Images smaller than the network's input, which are enlarged; and those smaller than half of it. */
  smaller: number;
  muchSmaller: number;
  /** Images more than three times as long as wide, of which the network sees the middle square. */
  long: number;
}

const SAMPLE = 1000;
const LONG = 3;

/** @param input side of the network's input, in pixels. Images whose size cannot be read are not counted. */
export async function sizesOf(set: ImageSet, input: number, sample = SAMPLE): Promise<Sizes> {
  const some = spreadOver(set, sample);
  const sides: { short: number; long: number }[] = [];
  for (let i = 0; i < some.length; i++) {
    try {
      const { width, height } = await imageSize(await some.read(i));
      sides.push({ short: Math.min(width, height), long: Math.max(width, height) });
    } catch {
      // unreadable images are reported where they are decoded
    }
  }
  const short = sides.map((one) => one.short).sort((a, b) => a - b);
  const at = (place: number) => short[Math.min(short.length - 1, Math.floor(place * short.length))] ?? 0;
  return {
    ...{ looked: sides.length, least: at(0), median: at(0.5), most: at(1) },
    smaller: short.filter((side) => side < input).length,
    muchSmaller: short.filter((side) => side < input / 2).length,
    long: sides.filter((one) => one.long > LONG * one.short).length,
  };
}
