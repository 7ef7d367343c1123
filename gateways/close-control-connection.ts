import type cassandra from 'cassandra-driver';

/** What we need of the driver's inside. */
interface ControlConnection {
  readonly connection: { closeAsync(): Promise<void> } | null;
}

/**
 * The driver leaves the connection of a failed start open, with its heartbeat: where a slow Cassandra
 * takes connections and answers too late, every further start would leave one more behind, and a
 * command would never end.
 */
export async function closeControlConnection(client: cassandra.Client): Promise<void> {
  const { controlConnection }: { controlConnection?: ControlConnection } = client as never;
  await controlConnection?.connection?.closeAsync().catch(() => undefined);
}
