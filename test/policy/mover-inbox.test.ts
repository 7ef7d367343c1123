import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { MoverInbox, MoveRequest, OpenChunk } from '../../workflows/contract.ts';
import { OPERATION_CAUSES, outranks } from '../../workflows/domain/operation.ts';
import { NO_MOVES } from '../../workflows/domain/user-move.ts';
import {
  answerRequest,
  dropEndedFollowUps,
  emptyInbox,
  listen,
  takeFollowUp,
} from '../../workflows/mover/inbox.ts';
import { aRequest } from '../support/move-builders.ts';

/** What `listen` sets, by name: signals are delivered to it as Temporal would. */
const handlers = new Map<string, (message?: unknown) => unknown>();
vi.mock('@temporalio/workflow', async (original) => ({
  ...(await original<object>()),
  setHandler: (definition: { name: string }, handler: (message?: unknown) => unknown) => {
    handlers.set(definition.name, handler);
  },
}));

const running = aRequest({ operationId: 'running' });
const newer = aRequest({ operationId: 'newer' });
const byOperator = { actor: 'ann', reason: 'ann: wait', isByAutomation: false };
const byAutomation = {
  actor: 'check_backend_health',
  reason: 'AutomationPaused',
  isByAutomation: true,
};

describe('answerRequest', () => {
  it('accepts what comes first and keeps it', () => {
    const inbox = emptyInbox();
    expect(answerRequest(inbox, null, newer)).toEqual({ answer: 'accepted', operationId: 'newer' });
    expect(inbox.waiting).toBe(newer);
  });

  it('accepts a repeat of what runs or waits, and keeps it once', () => {
    const inbox = emptyInbox();
    expect(answerRequest(inbox, running, running)).toMatchObject({ answer: 'accepted' });
    expect(inbox.waiting).toBeNull();
    inbox.waiting = newer;
    expect(answerRequest(inbox, running, { ...newer })).toMatchObject({ answer: 'accepted' });
    expect(answerRequest(inbox, running, running)).toMatchObject({ answer: 'accepted' });
    expect(inbox.waiting).toBe(newer);
    expect(inbox.wish).toBeNull();
  });

  it('lets a request under a newer claim of the site supersede what was begun under an older one', () => {
    const inbox = { ...emptyInbox(), pause: byOperator };
    const old = { ...running, epoch: 1 };
    const answer = answerRequest(inbox, old, { ...newer, epoch: 3 });
    expect(answer).toMatchObject({ answer: 'superseding', supersededId: 'running' });
    expect(inbox).toMatchObject({ pause: null, wish: { end: 'superseded' } });
    for (const epoch of [1, null]) {
      const fresh = { ...emptyInbox(), pause: byOperator };
      expect(answerRequest(fresh, old, { ...newer, epoch })).toMatchObject({ answer: 'refused' });
    }
  });

  const pairs = OPERATION_CAUSES.flatMap((cause) =>
    OPERATION_CAUSES.map((present) => ({ cause, present })),
  );
  it.each(pairs)('answers $cause while $present runs by rank', ({ cause, present }) => {
    const inbox = emptyInbox();
    const answer = answerRequest(inbox, { ...running, cause: present }, { ...newer, cause });
    if (outranks(cause, present)) {
      expect(answer).toEqual({
        answer: 'superseding',
        operationId: 'newer',
        supersededId: 'running',
      });
      expect(inbox.wish).toEqual({
        end: 'superseded',
        actor: newer.requestedBy,
        reason: 'newer',
      });
    } else {
      expect(answer).toEqual({
        answer: 'refused',
        runningId: 'running',
        reason: 'OperationRunning',
      });
      expect(inbox).toEqual(emptyInbox());
    }
  });

  it('lets automation supersede nothing that an operator paused', () => {
    const inbox = { ...emptyInbox(), pause: byOperator };
    const partial: MoveRequest = { ...running, cause: 'degraded' };
    const answer = answerRequest(inbox, partial, newer);
    expect(answer).toMatchObject({ answer: 'refused', reason: 'PausedByOperator' });
    expect(inbox.pause).toBe(byOperator);
  });

  it('lets an operator supersede what an operator paused, and the pause is over', () => {
    const inbox: MoverInbox = { ...emptyInbox(), pause: byOperator };
    const partial: MoveRequest = { ...running, cause: 'degraded' };
    const answer = answerRequest(inbox, partial, { ...newer, cause: 'operator' });
    expect(answer).toMatchObject({ answer: 'superseding' });
    expect(inbox.pause).toBeNull();
  });

  it('lets a higher cause supersede what automation paused', () => {
    const inbox: MoverInbox = { ...emptyInbox(), pause: byAutomation };
    const answer = answerRequest(inbox, { ...running, cause: 'degraded' }, newer);
    expect(answer).toMatchObject({ answer: 'superseding' });
  });

  it('measures against what already waits', () => {
    const inbox: MoverInbox = { ...emptyInbox(), waiting: { ...newer, cause: 'operator' } };
    const rebalance: MoveRequest = { ...running, cause: 'rebalance' };
    const drain = aRequest({ operationId: 'third', cause: 'drain' });
    expect(answerRequest(inbox, rebalance, drain)).toMatchObject({ runningId: 'newer' });
    const health = aRequest({ operationId: 'third', cause: 'health' });
    expect(answerRequest(inbox, rebalance, health)).toMatchObject({ supersededId: 'newer' });
    expect(inbox.waiting).toBe(health);
    expect(inbox.overtaken.map((request) => request.operationId)).toEqual(['newer']);
  });

  it('keeps the first wish: a cancelled operation ends as cancelled', () => {
    const cancelled = { end: 'cancelled', actor: 'ann', reason: 'enough' } as const;
    const inbox: MoverInbox = { ...emptyInbox(), wish: cancelled };
    answerRequest(inbox, { ...running, cause: 'degraded' }, newer);
    expect(inbox.wish).toBe(cancelled);
    expect(inbox.waiting).toBe(newer);
  });
});

describe('signals to a mover', () => {
  let inbox: MoverInbox;
  const send = (name: string, message?: unknown): unknown => handlers.get(name)?.(message);
  const automation = { operationId: 'running', actor: 'check_backend_health' };
  beforeEach(() => {
    inbox = emptyInbox();
    listen(inbox, () => running);
  });

  it.each(['pause', 'resume', 'cancel', 'endEarly', 'setSpeed', 'retarget', 'followUp'])(
    'survive a bare %s of the temporal command, and one for another operation changes nothing',
    (name) => {
      send(name, { operationId: 'another', speedPercent: 5, targetIds: ['x'], retryChunks: [1] });
      expect(inbox).toEqual(emptyInbox());
      send(name);
      send(name, {});
      expect(inbox).toMatchObject({ speedPercent: 100, targetIds: null, retryChunks: [] });
    },
  );

  it('pause by an operator with name and reason, by automation with the reason code', () => {
    send('pause', { ...automation, reason: 'FeatureDisabled' });
    expect(inbox.pause).toMatchObject({ reason: 'FeatureDisabled', isByAutomation: true });
    send('pause', { operationId: null, actor: 'ann', reason: 'wait' });
    expect(inbox.pause).toMatchObject({ reason: 'ann: wait', isByAutomation: false });
    send('pause', { ...automation, reason: 'CatastropheProtection' });
    expect(inbox.pause).toMatchObject({ reason: 'ann: wait', isByAutomation: false });
  });

  it('name the temporal command where nobody is named', () => {
    send('pause', {});
    expect(inbox.pause).toMatchObject({ actor: 'temporal-cli', isByAutomation: false });
    send('cancel');
    expect(inbox.wish).toEqual({ end: 'cancelled', actor: 'temporal-cli', reason: '' });
  });

  it('resume by automation only what automation paused, by an operator anything', () => {
    send('pause', { operationId: null, actor: 'ann', reason: 'wait' });
    send('resume', automation);
    expect(inbox.pause).not.toBeNull();
    send('resume', { operationId: null, actor: 'ben' });
    expect(inbox).toMatchObject({ pause: null, lastActor: 'ben' });
    send('pause', { ...automation, reason: 'AutomationPaused' });
    send('resume', automation);
    expect(inbox.pause).toBeNull();
  });

  it('keep the first wish', () => {
    send('endEarly', automation);
    send('cancel', { operationId: null, actor: 'ann' });
    expect(inbox.wish).toMatchObject({ end: 'done', actor: 'check_backend_health' });
  });

  it.each([
    { wanted: 50, expected: 50 },
    { wanted: 0, expected: 1 },
    { wanted: -5, expected: 1 },
    { wanted: 900, expected: 100 },
    { wanted: Number.NaN, expected: 100 },
    { wanted: 'fast', expected: 100 },
  ])('set a speed of $wanted as $expected', ({ wanted, expected }) => {
    send('setSpeed', { operationId: null, speedPercent: wanted });
    expect(inbox.speedPercent).toBe(expected);
  });

  it('retarget only to a list', () => {
    send('retarget', { operationId: null, targetIds: 'id-mail2' });
    expect(inbox.targetIds).toBeNull();
    send('retarget', { operationId: null, targetIds: ['id-mail2'] });
    expect(inbox.targetIds).toEqual(['id-mail2']);
  });

  it('gather follow-ups, each chunk once', () => {
    send('followUp', { operationId: 'running', retryChunks: [1, 2], forceChunks: [] });
    send('followUp', { operationId: 'running', retryChunks: [2, 3], forceChunks: [1] });
    expect(inbox).toMatchObject({ retryChunks: [1, 2, 3], forceChunks: [1] });
  });
});

describe('follow-ups', () => {
  const open = (chunk: number): OpenChunk => ({
    chunk,
    targetId: 'id-mail2',
    counts: NO_MOVES,
    forced: 0,
    attempts: 1,
    isSent: true,
    sentAtMs: 0,
  });

  it('are taken once, and force goes before retry', () => {
    const inbox = { ...emptyInbox(), retryChunks: [1, 2], forceChunks: [2] };
    expect(takeFollowUp(inbox, 2)).toBe('force');
    expect(takeFollowUp(inbox, 2)).toBe('check');
    expect(takeFollowUp(inbox, 1)).toBe('send');
    expect(inbox).toEqual(emptyInbox());
  });

  it('of chunks that ended meanwhile are dropped, or the mover would look after them for ever', () => {
    const inbox = { ...emptyInbox(), retryChunks: [1, 2], forceChunks: [3, 4] };
    dropEndedFollowUps(inbox, [open(2), open(4)]);
    expect(inbox).toMatchObject({ retryChunks: [2], forceChunks: [4] });
  });
});
