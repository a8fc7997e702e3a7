/** The documents that say why the server has refused them a kernel. */
const told = new WeakSet<object>();

/** A document says why the server refuses it a kernel. */
export function tellRefusal(context: object): void {
  told.add(context);
}

/**
 * Start the preferred kernel of a document.
 *
 * @returns whether to ask a person for another kernel. JupyterLab would also ask after a refusal, in a
 * dialog in front of the line that says why and offers to start the kernel again.
 */
export async function startOrTell(
  context: object,
  start: () => Promise<boolean>
): Promise<boolean> {
  told.delete(context);
  return (await start()) && !told.has(context);
}
