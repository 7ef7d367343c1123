/** The five guard lamps of the overview, in their fixed order. */
import type { Glyph } from '../components/glyphs.ts';
import type { Overview } from '../api/model.ts';
import { percentValue } from './number.ts';
import { shortAge } from './time.ts';

export interface Lamp {
  readonly name: string;
  readonly href: string;
  readonly icon: Glyph;
  readonly tone: '' | 'warn' | 'crit' | 'dry' | 'mute';
  readonly text: string;
  readonly title: string;
}

/** @param metricsAgeSecs age of the newest metrics now, in seconds; null: there are none. */
export function lampsOf(overview: Overview, metricsAgeSecs: number | null): readonly Lamp[] {
  return [
    metricsLamp(overview, metricsAgeSecs),
    catastropheLamp(overview),
    automationLamp(overview),
    dryRunLamp(overview),
    reachabilityLamp(overview),
  ];
}

function metricsLamp({ metrics }: Overview, age: number | null): Lamp {
  const base = { name: 'Metrics', href: '/tasks' };
  const title = `${metrics.view?.proxiesSeen ?? 0} of ${metrics.view?.proxiesExpected ?? 0} proxies scraped; limit ${metrics.maxAgeSecs} s`;
  const text = age === null ? 'None' : `${shortAge(age)} old`;
  if (metrics.isBlind) return { ...base, icon: 'blind', tone: 'crit', text, title };
  // What is shown may be old because the page has no connection.
  const isOld = age === null || age > metrics.maxAgeSecs;
  return isOld
    ? { ...base, icon: 'clock', tone: 'warn', text, title }
    : { ...base, icon: 'check', tone: '', text, title };
}

function catastropheLamp({ catastrophe, metrics }: Overview): Lamp {
  const base = {
    name: 'Catastrophe protection',
    href: '/decisions?task=check_backend_health',
    icon: 'shield' as const,
  };
  const share = percentValue(catastrophe.sharePercent);
  const limit = percentValue(catastrophe.thresholdPercent);
  const title = 'Share of Backends that fail at once, and the limit';
  if (catastrophe.isHolding)
    return { ...base, tone: 'crit', text: `Holds: ${share}, limit ${limit}`, title };
  if (metrics.isBlind || catastrophe.sharePercent === null) {
    return { ...base, tone: 'mute', text: 'Not evaluated', title };
  }
  return { ...base, tone: '', text: `Armed, ${share} of ${limit}`, title };
}

function automationLamp({ automation, metrics, ownership }: Overview): Lamp {
  const base = { name: 'Automation', href: '/features', title: automation.reason ?? '' };
  if (automation.state === 'paused')
    return { ...base, icon: 'pause', tone: 'warn', text: 'Paused' };
  if (ownership.isOwner === false) return { ...base, icon: 'lock', tone: 'warn', text: 'Passive' };
  if (metrics.isBlind) return { ...base, icon: 'pause', tone: 'warn', text: 'Waiting' };
  return { ...base, icon: 'play', tone: '', text: 'Running' };
}

function dryRunLamp({ features }: Overview): Lamp {
  const flags = features.filter(({ state }) => state === 'dryRun');
  const base = { name: 'DryRun', href: '/features', icon: 'dry' as const };
  const title = flags.map(({ feature }) => feature).join(', ');
  if (flags.length === 0)
    return { ...base, tone: 'mute', text: 'None', title: 'No feature is in DryRun' };
  return {
    ...base,
    tone: 'dry',
    text: flags.length === 1 ? '1 flag' : `${flags.length} flags`,
    title,
  };
}

function reachabilityLamp({ reachability: { sites, unreachable } }: Overview): Lamp {
  const base = { name: 'Site reachability', href: '/sites', icon: 'globe' as const };
  const title = 'Sites that the proxies of this one reach';
  if (sites === 0) return { ...base, tone: 'mute', text: 'Not measured', title };
  const text = `${sites - unreachable} of ${sites}`;
  return { ...base, tone: unreachable > 0 ? 'warn' : '', text, title };
}
