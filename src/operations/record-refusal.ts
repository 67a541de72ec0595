import type { Context } from '../context.ts';
import { denied } from '../core/change.ts';
import type { Person } from '../core/ids.ts';
import { recordEvents } from '../store/audit-events.ts';

/** Records that an application was refused what it asked for a person. Changes nothing else. */
export async function recordRefusal(
  ctx: Context,
  clientId: string,
  person: Person,
  kind: string,
  reason: string,
  detail: Readonly<Record<string, unknown>> | null = null,
): Promise<void> {
  const byClient: Context = { ...ctx, caller: { ...ctx.caller, actor: { kind: 'client', clientId } } };
  await recordEvents(byClient, ctx.hot(person.tenantId), [denied(kind, 'user', person.userId, reason, detail)]);
}
