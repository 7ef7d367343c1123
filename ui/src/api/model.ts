/** Short names for the answers of the API; all of them are generated from api/openapi.json. */
import type { components } from './schema.d.ts';

type Schemas = components['schemas'];

export type Problem = NonNullable<Schemas['Problem']>;
export type Session = NonNullable<Schemas['Session']>;
export type Role = NonNullable<Schemas['Role']>;
export type Overview = NonNullable<Schemas['Overview']>;
export type Backend = NonNullable<Schemas['Backend']>;
export type BackendDetail = NonNullable<Schemas['BackendDetail']>;
export type BackendUser = NonNullable<Schemas['BackendUser']>;
export type Operation = NonNullable<Schemas['Operation']>;
export type EvacuationPlan = NonNullable<Schemas['EvacuationPlan']>;
export type MovePlan = NonNullable<Schemas['MovePlan']>;
export type MovesStarted = NonNullable<Schemas['MovesStarted']>;
export type UserMove = NonNullable<Schemas['UserMove']>;
export type User = NonNullable<Schemas['User']>;
export type Decision = NonNullable<Schemas['Decision']>;
export type DecisionDetail = NonNullable<Schemas['DecisionDetail']>;
export type Features = NonNullable<Schemas['Features']>;
export type FeatureSetting = NonNullable<Schemas['FeatureSetting']>;
export type EffectiveFeature = NonNullable<Schemas['EffectiveFeature']>;
export type Feature = NonNullable<Schemas['Feature']>;
export type FeatureState = NonNullable<Schemas['FeatureState']>;
export type FeatureLevel = NonNullable<Schemas['FeatureLevel']>;
export type Task = NonNullable<Schemas['Task']>;
export type TaskName = NonNullable<Schemas['TaskName']>;
export type Reachability = NonNullable<Schemas['Reachability']>;
