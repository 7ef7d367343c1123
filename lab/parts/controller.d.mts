/** The environment of every controller process of a site in a lab. */
export function controllerEnvironment(options: {
  readonly net: number;
  readonly siteName: string;
  /** Epoch milliseconds for READY_AFTER. */
  readonly readyAfterMs?: number;
  /** Over everything else. */
  readonly settings?: Readonly<Record<string, string>>;
}): Record<string, string>;
