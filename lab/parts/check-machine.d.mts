/** Throws a LabProblem, whose message is one sentence, where the machine cannot do. */
export function checkMachine(machine?: {
  readonly platform?: string;
  readonly nodeVersion?: string;
  readonly freeMegabytes?: number;
  readonly isInstalled?: boolean;
}): void;
