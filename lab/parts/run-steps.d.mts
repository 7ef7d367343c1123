export interface Step {
  readonly name: string;
  /** Names of steps; those that are not in the list count as done. */
  readonly after: readonly string[];
  /** Says in a few words what it did. */
  readonly run: (signal: AbortSignal) => Promise<string | void>;
}
