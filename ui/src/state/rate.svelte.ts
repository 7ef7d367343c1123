/** Users a second over the last minute, from what this page has seen of an operation. */
import { rateBetween } from '../format/operations.ts';

interface Point {
  readonly atMs: number;
  readonly done: number;
}

const MINUTE_MS = 60_000;
/** Below this nothing can be said, in milliseconds. */
const SHORTEST_MS = 4000;

export interface RateMeter {
  add(point: Point): void;
  /** Null until enough was seen. */
  readonly perSecond: number | null;
}

export function rateMeter(): RateMeter {
  let points: readonly Point[] = [];
  let perSecond = $state<number | null>(null);
  return {
    get perSecond() {
      return perSecond;
    },
    add(point) {
      if (points.at(-1)?.atMs === point.atMs) return;
      points = [...points.filter(({ atMs }) => atMs > point.atMs - MINUTE_MS), point];
      const first = points[0];
      const isLongEnough = first !== undefined && point.atMs - first.atMs >= SHORTEST_MS;
      perSecond = isLongEnough ? rateBetween(first, point) : null;
    },
  };
}
