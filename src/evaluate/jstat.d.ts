/** The part of jstat that is used. The package has no types of its own. */
declare module "jstat" {
  /** Student's t distribution with `freedom` degrees of freedom, above 0, not necessarily whole. */
  const studentt: {
    inv(p: number, freedom: number): number;
    cdf(t: number, freedom: number): number;
  };
  const exported: { studentt: typeof studentt };
  export default exported;
}
