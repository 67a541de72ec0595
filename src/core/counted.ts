/** A count with its noun, as a sentence has it: `1 person`, `2 people`. Without `several` the plural is the noun with an s. */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
