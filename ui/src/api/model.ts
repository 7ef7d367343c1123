/** Short names for the answers of the API; all of them are generated from api/openapi.json. */
import type { components } from './schema.d.ts';

type Schemas = components['schemas'];

export type Problem = Schemas['Problem'];
export type Session = Schemas['Session'];
export type Role = Schemas['Role'];
export type Overview = Schemas['Overview'];
export type Backend = Schemas['Backend'];
export type BackendDetail = Schemas['BackendDetail'];
export type BackendUser = Schemas['BackendUser'];
export type Operation = Schemas['Operation'];
export type EvacuationPlan = Schemas['EvacuationPlan'];
export type UserMove = Schemas['UserMove'];
export type User = Schemas['User'];
export type Decision = Schemas['Decision'];
export type DecisionDetail = Schemas['DecisionDetail'];
export type Features = Schemas['Features'];
export type FeatureSetting = Schemas['FeatureSetting'];
export type EffectiveFeature = Schemas['EffectiveFeature'];
export type Feature = Schemas['Feature'];
export type FeatureState = Schemas['FeatureState'];
export type FeatureLevel = Schemas['FeatureLevel'];
export type Task = Schemas['Task'];
export type TaskName = Schemas['TaskName'];
export type Reachability = Schemas['Reachability'];
