import type { Hold, PartSpec } from './part-spec.mjs';

/** One process of a lab with its process group. */
export interface SupervisedPart {
  readonly name: string;
  /** As in PartStatus. */
  readonly state: string;
  readonly hold: Hold;
  readonly pid: number | null;
  /** Spawns it and waits until it answers; rejects with a LabProblem. */
  startFirst(signal?: AbortSignal): Promise<void>;
  start(): void;
  kill(options?: { readonly staysDown?: boolean }): Promise<void>;
  /** Ends it for good. */
  leave(): Promise<void>;
}

export declare class Supervisor {
  /** @param stateDir one folder for each supervisor. */
  constructor(options: { readonly stateDir: string; readonly print: (line: string) => void });
  /** Ends what an earlier supervisor of that folder left running; answers their names. */
  endLeftovers(): Promise<string[]>;
  /** Not started yet; takes the place of a part of the same name. */
  add(spec: PartSpec): SupervisedPart;
  part(name: string): SupervisedPart;
  has(name: string): boolean;
  /** Ends everything; settles when nothing is left. */
  leave(): Promise<void>;
}
