/** Sessions are cut at the proxies, a group at a time; only those that no proxy ends are left to `kick` by force. */
import { expect, it } from 'vitest';
import type { BackendContext } from '../../lab/mail/cluster-service/backend-context.ts';
import { endSessions, kickUser } from '../../lab/mail/cluster-service/end-sessions.ts';
import { createRecentLogins } from '../../lab/mail/cluster-service/recent-logins.ts';
import { createSessionWatch } from '../../lab/mail/cluster-service/session-watch.ts';

interface PlayedOptions {
  /** Users with sessions; each look asks anew. */
  readonly list: () => readonly string[];
  readonly onCut?: (usernames: readonly string[]) => void;
  readonly isProxyFrozen?: boolean;
  readonly onKick?: (username: string) => void;
}

/** A Dovecot behind proxies. */
function played({ list, onCut, onKick, isProxyFrozen = false }: PlayedOptions) {
  const cuts: (readonly string[])[] = [];
  const kicked: string[] = [];
  const recentLogins = createRecentLogins(1_000);
  let looks = 0;
  const who = () => {
    looks += 1;
    return Promise.resolve(list().map((username) => ({ username, service: 'imap' })));
  };
  const context = {
    recentLogins,
    sessions: createSessionWatch(who),
    cutSessions: (usernames: readonly string[]) => {
      cuts.push(usernames);
      onCut?.(usernames);
      return Promise.resolve(!isProxyFrozen);
    },
    doveadm: {
      kickProcesses: (username: string) => {
        kicked.push(username);
        onKick?.(username);
        return Promise.resolve();
      },
    },
  } as unknown as BackendContext;
  return { context, cuts, kicked, recentLogins, looks: () => looks };
}

async function groupsOf(usernames: readonly string[], context: BackendContext) {
  const groups: (readonly string[])[] = [];
  for await (const gone of endSessions(usernames, context)) groups.push(gone);
  return groups;
}

it('cuts all of a group together, nobody else, and tells who is gone', async () => {
  const here = new Set(['a', 'b', 'c']);
  const dovecot = played({
    list: () => [...here],
    onCut: (names) => names.forEach((name) => here.delete(name)),
  });
  expect(await groupsOf(['a', 'b'], dovecot.context)).toEqual([['a', 'b']]);
  expect(dovecot.cuts).toEqual([['a', 'b']]);
  expect([...here]).toEqual(['c']);
  expect(dovecot.kicked).toEqual([]);
  // One look names the sessions of all, another sees that they have ended.
  expect(dovecot.looks()).toBe(2);
});

it('lets those go who are gone, and goes on with the others', async () => {
  const here = new Set(['a', 'slow']);
  const dovecot = played({
    list: () => [...here],
    onCut: (names) => (names.length === 1 ? here.clear() : here.delete('a')),
  });
  expect(await groupsOf(['idle', 'a', 'slow'], dovecot.context)).toEqual([
    ['idle'],
    ['a'],
    ['slow'],
  ]);
  expect(dovecot.cuts).toEqual([['a', 'slow'], ['slow']]);
});

it('ends the process of whoever no proxy cuts, but not before cuts had their time', async () => {
  const here = new Set(['stuck', 'a']);
  const cutsAtKick: number[] = [];
  const dovecot = played({
    list: () => [...here],
    onCut: () => here.delete('a'),
    onKick: () => {
      cutsAtKick.push(dovecot.cuts.length);
      here.clear();
    },
  });
  expect(await groupsOf(['stuck', 'a'], dovecot.context)).toEqual([['a'], ['stuck']]);
  expect(dovecot.kicked).toEqual(['stuck']);
  expect(cutsAtKick[0]).toBeGreaterThan(3);
});

it('does not name whose sessions never end', async () => {
  const dovecot = played({ list: () => ['forever'] });
  expect(await groupsOf(['forever', 'idle'], dovecot.context)).toEqual([['idle']]);
}, 15_000);

it('ends the process at once where a proxy is frozen', async () => {
  const here = new Set(['stuck', 'a']);
  const dovecot = played({
    list: () => [...here],
    onCut: () => here.delete('a'),
    onKick: () => here.clear(),
    isProxyFrozen: true,
  });
  expect(await groupsOf(['stuck', 'a'], dovecot.context)).toEqual([['a'], ['stuck']]);
  expect(dovecot.cuts).toEqual([['stuck', 'a']]);
  expect(dovecot.kicked).toEqual(['stuck']);
});

it('cuts whoever was let in a moment ago, though he may not be listed yet', async () => {
  const lists = [[], ['a'], []];
  const dovecot = played({ list: () => lists.shift() ?? [] });
  dovecot.recentLogins.note('a');
  expect(await groupsOf(['a', 'idle'], dovecot.context)).toEqual([['idle'], ['a']]);
  expect(dovecot.cuts).toEqual([['a'], ['a']]);
  expect(lists).toEqual([]);
});

it('looks up who has been here for long in a list that is a moment old', async () => {
  const dovecot = played({ list: () => ['other'] });
  await dovecot.context.sessions.read();
  expect(await groupsOf(['a'], dovecot.context)).toEqual([['a']]);
  expect(dovecot.looks()).toBe(1);
});

it('takes everybody for a recent login who may have come while it was not asked', async () => {
  const lists = [[], ['a'], []];
  const dovecot = played({ list: () => lists.shift() ?? [] });
  // The list is fresh, but from before he came.
  await dovecot.context.sessions.read();
  dovecot.recentLogins.noteBlindness();
  expect(await groupsOf(['a'], dovecot.context)).toEqual([['a']]);
  expect(dovecot.cuts).toEqual([['a']]);
});

it('kicks once: who comes back is left alone, and nobody else is hit', async () => {
  const lists = [['a'], ['a'], ['a'], ['a']];
  const dovecot = played({ list: () => lists.shift() ?? [] });
  dovecot.recentLogins.note('a');
  expect(await kickUser('a', dovecot.context)).toBe(true);
  expect(dovecot.kicked).toEqual([]);
  expect(await kickUser('nobody', dovecot.context)).toBe(false);
  const hanging = played({ list: () => ['b'] });
  expect(await kickUser('b', hanging.context)).toBe(true);
  expect(hanging.kicked).toEqual(['b']);
});
