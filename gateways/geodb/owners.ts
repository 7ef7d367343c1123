/** Which controller owns a site: conditional writes only. */
import type { CassandraSession, Row } from '../cassandra-session.ts';
import { numberOf, requiredText } from '../cassandra-values.ts';
import { GatewayError } from '../gateway-error.ts';
import type { Geodb, SiteOwner } from './geodb.ts';
import type { GeodbStatements } from './statements.ts';

const FIRST_EPOCH = 1;
const ATTEMPTS = 5;

type OwnerMethods = Pick<Geodb, 'readOwner' | 'claimIfFree' | 'claim'>;

export function ownerMethods(session: CassandraSession, statements: GeodbStatements): OwnerMethods {
  const readOwner = async (siteName: string): Promise<SiteOwner | null> => {
    const row = await session.readOne('readOwner', statements.readOwner, [siteName]);
    return row === null ? null : toOwner(row);
  };

  const claimIfFree = async (siteName: string, owner: string): Promise<SiteOwner> => {
    const holding = await readOwner(siteName);
    if (holding !== null) return holding;
    const params = [siteName, owner, FIRST_EPOCH];
    const { applied, row } = await session.writeIf('claimIfFree', statements.claimFirst, params);
    return applied || row === null ? { owner, epoch: FIRST_EPOCH } : toOwner(row);
  };

  const claim = async (siteName: string, owner: string): Promise<SiteOwner> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const holding = await readOwner(siteName);
      if (holding === null) {
        const first = await claimIfFree(siteName, owner);
        if (first.owner === owner) return first;
        continue;
      }
      const epoch = holding.epoch + 1;
      const params = [owner, epoch, siteName, holding.epoch];
      const { applied } = await session.writeIf('claim', statements.claimNext, params);
      if (applied) return { owner, epoch };
    }
    throw new GatewayError(`site ${siteName} is being claimed by somebody else at the same time`, {
      system: 'cassandra',
      operation: 'claim',
      code: 'Refused',
      isTemporary: true,
      subject: siteName,
    });
  };

  return { readOwner, claimIfFree, claim };
}

function toOwner(row: Row): SiteOwner {
  return { owner: requiredText(row, 'owner'), epoch: numberOf(row, 'epoch') ?? 0 };
}
