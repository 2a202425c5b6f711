/** Modules, layers, initial values: `nn` of the public API. */
export * as init from "./init.ts";
export * from "./layers.ts";
export { Buffer, Module, Parameter, Sequential } from "./module.ts";
