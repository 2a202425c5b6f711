/** Maps and colours laid over images. Pictures are square: size × size × 3 bytes, RGB. */
import { interpolateInferno } from "d3-scale-chromatic";
import { outlineOf } from "./outline.ts";

const SHADES = 256;
/** Colours of values of 0 to 1: perceptually uniform, dark to bright. */
const shades = Array.from({ length: SHADES }, (_, i) => rgb(interpolateInferno(i / (SHADES - 1))));

function rgb(hex: string): readonly [number, number, number] {
  const bytes = Number.parseInt(hex.slice(1), 16);
  return [bytes >> 16, (bytes >> 8) & 255, bytes & 255];
}

/** Share of its brightness that an image keeps below a map. */
const DIMMED = 0.55;
/** Opacity of the colour of the least and of the largest value. */
const [CLEAR, OPAQUE] = [0.35, 0.85];
/** A map whose values differ by less than this part of the largest is even. */
const ROUNDING = 1e-5;
/** Opacity of an outline. */
const LINE = 0.8;

/**
 * A map over the dimmed image: its least value dark and clear, its largest bright and opaque; an even one dark everywhere.
 * @param map size · size values, of any range
 */
export function heatOver(image: Uint8Array, map: Float32Array): Uint8Array {
  let [least, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of map) [least, largest] = [Math.min(least, value), Math.max(largest, value)];
  const range = largest - least > ROUNDING * Math.abs(largest) ? largest - least : Number.POSITIVE_INFINITY;
  return compose(image, (i) => {
    const value = ((map[i] as number) - least) / range;
    const colour = shades[Math.round(value * (SHADES - 1))] as readonly number[];
    return { colour, opacity: CLEAR + (OPAQUE - CLEAR) * value };
  });
}

/**
 * Colours over the dimmed image.
 * @param colours 3 × size · size values of 0 to 1, each channel by itself, already multiplied by the opacity
 * @param opacity size · size values of 0 to 1
 */
export function coloursOver(image: Uint8Array, colours: Float32Array, opacity: Float32Array): Uint8Array {
  const places = opacity.length;
  return compose(image, (i) => {
    const own = opacity[i] as number;
    const colour = [0, 1, 2].map((c) => (255 * (colours[c * places + i] as number)) / Math.max(own, 1e-6));
    return { colour, opacity: own };
  });
}

/** A line around the places of a mask (size × size), in white. */
export function withOutline(picture: Uint8Array, mask: Uint8Array, size: number): Uint8Array {
  const line = outlineOf(mask, size);
  return picture.map((value, i) => (line[Math.floor(i / 3)] ? Math.round(value + LINE * (255 - value)) : value));
}

function compose(image: Uint8Array, over: (i: number) => { colour: readonly number[]; opacity: number }): Uint8Array {
  const picture = new Uint8Array(image.length);
  for (let i = 0; i < image.length / 3; i++) {
    const { colour, opacity } = over(i);
    for (let c = 0; c < 3; c++) {
      const below = DIMMED * (image[3 * i + c] as number);
      picture[3 * i + c] = Math.round(below * (1 - opacity) + (colour[c] as number) * opacity);
    }
  }
  return picture;
}
