// What a person reads out to their administrator when something failed.

/** Short form of a request's id, `XXXX-XXXX`: the log and the audit trail have the whole id, which ends in it. */
export function referenceOf(requestId: string): string {
  const tail = requestId
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(-8)
    .toUpperCase()
    .padStart(8, '0');
  return `${tail.slice(0, 4)}-${tail.slice(4)}`;
}
