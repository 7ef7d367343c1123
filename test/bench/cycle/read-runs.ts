/** What Temporal remembers of the runs of a site: how long each took, and the largest payload of all. */
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DATA_CONVERTER, payloadCodec } from '../../../platform/payload-codec.ts';
import { taskIdOf } from '../../../workflows/contract.ts';

export interface Run {
  readonly workflowType: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly status: string;
  readonly startedAtMs: number;
  /** Null: it still runs. */
  readonly endedAtMs: number | null;
}

export interface LargestPayload {
  readonly bytes: number;
  readonly workflowType: string;
  /** Before it was compressed. */
  readonly plainBytes: number;
}

export interface TemporalReader {
  /** Of any workflow that was started since then. */
  readRuns(sinceMs: number): Promise<Run[]>;
  largestPayload(runs: readonly Run[]): Promise<LargestPayload>;
  /** Milliseconds from the start of a run at which each event came, with the name of the activity. */
  timeline(run: Run): Promise<string>;
  /** Starts of the health check that did not happen, ever. */
  countSkipped(siteName: string): Promise<number>;
  close(): Promise<void>;
}

export async function openTemporalReader(address: string): Promise<TemporalReader> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, dataConverter: DATA_CONVERTER });
  return {
    readRuns: async (sinceMs) => {
      const runs: Run[] = [];
      const query = `StartTime >= '${new Date(sinceMs).toISOString()}'`;
      for await (const run of client.workflow.list({ query })) {
        runs.push({
          workflowType: run.type,
          workflowId: run.workflowId,
          runId: run.runId,
          status: run.status.name,
          startedAtMs: run.startTime.getTime(),
          endedAtMs: run.closeTime?.getTime() ?? null,
        });
      }
      return runs;
    },
    largestPayload: async (runs) => {
      let largest: LargestPayload = { bytes: 0, workflowType: '', plainBytes: 0 };
      for (const { workflowId, runId, workflowType } of runs) {
        const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
        for (const payload of payloadsIn(history)) {
          const bytes = payload.data.length;
          if (bytes <= largest.bytes) continue;
          const [plain] = await payloadCodec.decode([payload]);
          largest = { bytes, workflowType, plainBytes: plain?.data?.length ?? bytes };
        }
      }
      return largest;
    },
    timeline: async ({ workflowId, runId, startedAtMs }) => {
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const names = new Map<string, string>();
      const steps = (events ?? []).flatMap((event) => {
        const scheduled = event.activityTaskScheduledEventAttributes;
        const started = event.activityTaskStartedEventAttributes;
        const completed = event.activityTaskCompletedEventAttributes;
        if (scheduled != null) {
          names.set(String(event.eventId), scheduled.activityType?.name ?? '');
        }
        const atMs =
          Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
        const local = localActivityOf(event);
        if (local !== null) return [`${local} done ${Math.round(atMs - startedAtMs)}`];
        const attributes = started ?? completed;
        if (attributes == null) return [];
        const what = started == null ? 'done' : 'begun';
        const name = names.get(String(attributes.scheduledEventId)) ?? '';
        return [`${name} ${what} ${Math.round(atMs - startedAtMs)}`];
      });
      return steps.join(', ');
    },
    countSkipped: async (siteName) => {
      const id = taskIdOf(siteName, 'check_backend_health');
      const { info } = await client.schedule.getHandle(id).describe();
      return info.numActionsMissedCatchupWindow + info.numActionsSkippedOverlap;
    },
    close: () => connection.close(),
  };
}

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

/** The name of an activity that was done within a workflow task; null: another event. */
function localActivityOf({ markerRecordedEventAttributes: marker }: HistoryEvent): string | null {
  const [data] = marker?.details?.['data']?.payloads ?? [];
  if (marker?.markerName !== 'core_local_activity' || data?.data == null) return null;
  const { activity_type: name } = JSON.parse(new TextDecoder().decode(data.data)) as {
    activity_type: string;
  };
  return name;
}

interface FoundPayload {
  readonly metadata: Record<string, Uint8Array>;
  readonly data: Uint8Array;
}

/** Wherever in an event they stand. */
function payloadsIn(value: unknown): FoundPayload[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  const { metadata, data } = value as Partial<FoundPayload>;
  if (metadata !== undefined && data instanceof Uint8Array) return [{ metadata, data }];
  return Object.values(value).flatMap(payloadsIn);
}
