/** The part of d3-scale-chromatic that is used. The package has no types of its own. */
declare module "d3-scale-chromatic" {
  /** A colour of the map for a value of 0 to 1, as "#rrggbb". */
  export function interpolateInferno(value: number): string;
}
