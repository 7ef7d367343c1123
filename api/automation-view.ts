/** The switch of the site; a pause that has run out is over by itself. */
import type { AutomationSwitch } from '../gateways/controller-store/controller-store.ts';
import type { Dependencies } from './dependencies.ts';
import type { AutomationView } from './schemas/feature.ts';

/** Rejects with GatewayError{cassandra}. */
export async function readAutomationView(dependencies: Dependencies): Promise<AutomationView> {
  const { store, config, now } = dependencies;
  return presentAutomation(config.site, await store.readAutomation(config.site), now());
}

export function presentAutomation(
  siteName: string,
  automation: AutomationSwitch | null,
  nowMs: number,
): AutomationView {
  if (automation === null) {
    const nobody = { setBy: null, reason: null, setAtMs: null, untilMs: null };
    return { siteName, state: 'running', ...nobody };
  }
  const { setBy, reason, setAtMs, untilMs } = automation;
  const isOver = untilMs !== null && untilMs <= nowMs;
  const state = isOver ? 'running' : automation.state;
  return { siteName, state, setBy, reason, setAtMs, untilMs };
}
