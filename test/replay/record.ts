/**
 * Records the history of a finished workflow run as a replay fixture:
 * `TEMPORAL_ADDRESS=... node test/replay/record.ts <workflow id> <workflow>.<scenario>.<release>`
 * A recorded history is never edited.
 */
import { writeFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DATA_CONVERTER } from '../../platform/payload-codec.ts';

const [workflowId, name] = process.argv.slice(2);
if (workflowId === undefined || name === undefined) {
  throw new Error('usage: node test/replay/record.ts <workflow id> <name of the fixture>');
}
const address = process.env['TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233';
const connection = await Connection.connect({ address });
const client = new Client({ connection, dataConverter: DATA_CONVERTER });
const history = await client.workflow.getHandle(workflowId).fetchHistory();
/** Which process of which machine it was says nothing about a workflow. */
const anonymous = (json: string): string =>
  json.replaceAll(/"identity": ?"[^"]*"/g, `"identity": "recorded"`);
const file = new URL(`histories/${name}.json`, import.meta.url);
writeFileSync(file, `${anonymous(historyToJSON(history))}\n`);
await connection.close();
