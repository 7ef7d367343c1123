/** A scenario: a site, what goes wrong, what operators do, and for how long. Everything else follows from the seed. */
import { readConfig } from '../../platform/config.ts';
import type { FeatureSetting } from '../../workflows/domain/feature-flag.ts';
import type { PolicySettings } from '../../workflows/domain/policy-settings.ts';
import { isDue, type Fault } from './faults.ts';
import { TICK_SECS } from './look-back.ts';
import { flagEverywhere, SimulatedController } from './simulated-controller.ts';
import { SimulatedSite, type SiteShape } from './simulated-site.ts';
import { Watch } from './watch.ts';

/** As documented, not the lab's shortened ones. */
export const DEFAULTS: PolicySettings = readConfig({ CLUSTER_SITE: 'north' }).policy;

export interface Scenario {
  readonly shape: SiteShape;
  readonly hours: number;
  readonly faults?: readonly Fault[];
  /** What operators do, by minute. */
  readonly events?: readonly OperatorEvent[];
  readonly settings?: Partial<PolicySettings>;
  readonly flags?: readonly FeatureSetting[];
}

export type OperatorEvent = { readonly atMin: number } & (
  | { readonly does: 'setLoadFactor'; readonly host: string; readonly loadFactor: number }
  | { readonly does: 'setStatus'; readonly host: string; readonly status: 'online' | 'standby' }
  | { readonly does: 'cancel'; readonly host: string }
  | { readonly does: 'switch'; readonly automation: 'running' | 'paused' }
);

/** A running simulation: can be stepped and looked into. */
export class Simulation {
  readonly site: SimulatedSite;
  readonly controller: SimulatedController;
  readonly watch: Watch;
  private readonly scenario: Scenario;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    const { shape, faults = [], hours } = scenario;
    const settings = { ...DEFAULTS, ...scenario.settings };
    this.site = new SimulatedSite(shape, faults, hours);
    this.watch = new Watch(this.site, settings);
    const flags = [...(scenario.flags ?? flagEverywhere('enabled'))];
    this.controller = new SimulatedController(this.site, { settings, flags, observer: this.watch });
    this.watch.controller = this.controller;
  }

  /** One tick: the world first, then whoever watches over it. */
  tick(): void {
    this.site.tick();
    for (const event of this.scenario.events ?? []) this.operate(event);
    this.controller.tick();
    this.watch.tick();
  }

  /** @param minutes left out: to the end of the scenario */
  run(minutes = this.scenario.hours * 60 - this.site.minute): this {
    const endSecs = this.site.nowSecs + minutes * 60;
    while (this.site.nowSecs < endSecs) this.tick();
    return this;
  }

  private operate(event: OperatorEvent): void {
    if (!isDue(event.atMin, this.site.nowSecs, TICK_SECS)) return;
    switch (event.does) {
      case 'setLoadFactor':
        this.site.backend(event.host).loadFactor = event.loadFactor;
        return;
      case 'setStatus':
        this.site.setStatus(this.site.backend(event.host), event.status);
        return;
      case 'cancel':
        this.controller.mover(event.host).end('cancelled', 'operator');
        return;
      case 'switch':
        this.controller.automation = event.automation;
    }
  }
}

export function simulate(scenario: Scenario): Simulation {
  return new Simulation(scenario).run();
}
