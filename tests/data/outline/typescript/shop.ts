import def, { a as b, type C } from "./a";
import * as ns from "./ns";
import type { T } from "./t";
import legacy = require("./legacy");
import "./effects";
export { x as y } from "./x";
export { own as given, b };
export * from "./all";
export * as grouped from "./grouped";

/** What an order is. */
export interface Order<T> extends Base<T>, Dated {
  id: number;
  readonly items?: string[];
  place(at: Date): Promise<void>;
}

export type Handler = (order: Order<string>) => void;

export enum State { New = 1, Done }

// The default one.
@decorated()
export default class Shop<T> extends Store<T> implements Order<T>, Other {
  static count = 0;
  private readonly db: Database;
  #secret = new Secret();
  handler = (x: number): void => {};

  constructor(private url: string, readonly name: string, plain: number) {
    super();
  }

  get size(): number {
    return 1;
  }

  protected async place(
    order: Order<T>,
    late = false,
  ): Promise<boolean> {
    return late;
  }
}

export abstract class Abstract {
  abstract go(): void;
}

export function over(a: string): string;
export function over(a: number): number;
export function over(a: unknown): unknown {
  return a;
}

export const arrow = (a: number): number => a;
export const { left, right } = pair();
const own = new Shop<string>("a"), second: number = 1;
function hidden() {}

export namespace Space {
  export const inside = 1;
}

declare module "elsewhere" {
  export function declared(): void;
}

declare global {
  interface Window { mine: Shop<string> }
}
