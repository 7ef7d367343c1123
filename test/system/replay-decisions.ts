/** Every decision is made again from the snapshot that was stored with it, and must come out the same. */
import type { ControllerStore } from '../../gateways/controller-store/controller-store.ts';
import type { RecordedDecision } from '../../workflows/domain/decision.ts';
import { replayDecision } from '../../workflows/policy/replay-decision.ts';
import type { Figures } from './figures.ts';
import type { LabRig } from './lab-rig.ts';

export interface Replays {
  readonly total: number;
  readonly identical: number;
  /** How many of each task. */
  readonly byTask: Readonly<Record<string, number>>;
  /** `<outcome> <task> <kind> <reason> <id>` of whatever was not identical. */
  readonly others: readonly string[];
}

const AT_ONCE = 8;
const PAGE = 500;

type Told = Pick<RecordedDecision, 'decisionId' | 'task' | 'kind' | 'reason'>;

/** Of all sites of a lab, through the API, as an operator would ask. */
export async function replayDecisions(rig: LabRig): Promise<Replays> {
  const sites = rig.lab.sites.map(({ name }) => rig.api(name));
  const replays = await Promise.all(
    sites.map(async (api) =>
      replayAll(await api.readDecisionsSince(0), ({ decisionId }) =>
        api.replayDecision(decisionId),
      ),
    ),
  );
  return replays.reduce(add);
}

/** As figures of a drill. */
export async function measureReplays(rig: LabRig, figures: Figures): Promise<void> {
  const { total, identical, byTask, others } = await replayDecisions(rig);
  const tasks = Object.entries(byTask).map(([task, many]) => `${task} ${many}`);
  figures.state('C7', 'decisions made again from their snapshots', `${identical} of ${total}`);
  figures.state('C7', 'of which', tasks.join(', '));
  figures.none('C7', 'decisions that did not come out the same', others);
}

/** Of one site, straight from its store. */
export async function replayStored(store: ControllerStore, siteName: string): Promise<Replays> {
  const decisions: RecordedDecision[] = [];
  let cursor: string | null = null;
  do {
    const page = await store.readDecisions({ siteName, limit: PAGE, cursor });
    decisions.push(...page.decisions);
    cursor = page.cursor;
  } while (cursor !== null);
  return replayAll(decisions, async (decision) => {
    const snapshot = await store.readSnapshot(decision.snapshotId);
    return snapshot === null ? 'snapshotExpired' : replayDecision(decision, snapshot).outcome;
  });
}

async function replayAll<T extends Told>(
  decisions: readonly T[],
  replay: (decision: T) => Promise<string>,
): Promise<Replays> {
  const others: string[] = [];
  const byTask: Record<string, number> = {};
  const waiting = [...decisions];
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const { decisionId, task, kind, reason } = one;
      byTask[task] = (byTask[task] ?? 0) + 1;
      const outcome = await replay(one);
      if (outcome !== 'identical') {
        others.push([outcome, task, kind, reason, decisionId].join(' '));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const total = decisions.length;
  return { total, identical: total - others.length, byTask, others };
}

function add(a: Replays, b: Replays): Replays {
  const tasks = [...new Set([...Object.keys(a.byTask), ...Object.keys(b.byTask)])];
  const sums = tasks.map((task) => [task, (a.byTask[task] ?? 0) + (b.byTask[task] ?? 0)]);
  return {
    total: a.total + b.total,
    identical: a.identical + b.identical,
    byTask: Object.fromEntries(sums) as Record<string, number>,
    others: [...a.others, ...b.others],
  };
}
