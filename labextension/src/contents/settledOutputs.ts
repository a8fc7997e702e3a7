import { HELD, readHeld } from './heldMetadata.js';
import { canonicalNotebook } from './sameContent.js';

type Fields = Record<string, unknown>;

/**
 * The notebook to save over a version that differs from what this page had in nothing but what kernels
 * have said.
 *
 * Two pages that show one notebook show the same outputs, each as far as it has come. Of each cell the
 * outputs are taken that are further in the same journal.
 *
 * @param ours - The notebook that was to be saved.
 * @param theirs - The version that was saved meanwhile.
 * @param before - The `notebookText` of the version that this page has had; null if nobody knows.
 * @returns null if they have changed something else, or nobody can tell which outputs are further: a
 *   person has to decide.
 */
export function settledOutputs(ours: unknown, theirs: unknown, before: string | null): unknown {
  const ourCells = cellsOf(ours);
  const theirCells = cellsOf(theirs);
  const theirText = notebookText(theirs);
  if (!ourCells || !theirCells) {
    return null;
  }
  const isEdited = theirText !== notebookText(ours);
  if (isEdited && theirText !== before) {
    return null;
  }
  // The file may name no cells: what was edited is no place to find them by.
  const named = new Map(theirCells.map(cell => [cell.id, cell] as const));
  named.delete(undefined);
  const cells = [];
  for (const [at, our] of ourCells.entries()) {
    const their = isEdited ? named.get(our.id) : theirCells[at];
    const chosen = their && isCode(our) && isCode(their) ? withChosenOutputs(our, their) : our;
    if (!chosen) {
      return null;
    }
    cells.push(chosen);
  }
  return { ...(ours as Fields), cells };
}

/** What a notebook says beside outputs, for comparison; null if it is no notebook. */
export function notebookText(notebook: unknown): string | null {
  const cells = cellsOf(notebook);
  return cells && canonicalNotebook({ ...(notebook as Fields), cells: cells.map(withoutOutputs) });
}

/**
 * Our cell with the outputs that are further; null if nobody can tell. What their code said takes the
 * place of nothing that another code of ours said.
 */
function withChosenOutputs(our: Fields, their: Fields): Fields | null {
  if (outputsOf(our) === outputsOf(their)) {
    return our;
  }
  const ourHeld = heldBy(our);
  const theirHeld = heldBy(their);
  if (!ourHeld && !theirHeld) {
    return null;
  }
  if (!ourHeld || !theirHeld) {
    return ourHeld ? our : withOutputsOf(our, their);
  }
  const isSame = ourHeld.request === theirHeld.request;
  if (!isSame && sourceOf(our) !== sourceOf(their)) {
    return our;
  }
  // A request that has said nothing replaces nothing.
  const isComparable =
    isSame ||
    (ourHeld.journal !== undefined && ourHeld.journal === theirHeld.journal) ||
    !ourHeld.number ||
    !theirHeld.number;
  if (!isComparable) {
    return null;
  }
  return theirHeld.number > ourHeld.number ? withOutputsOf(our, their) : our;
}

/** What belongs to the outputs of a cell in its metadata: also whether they are trusted. */
const OF_OUTPUTS = [HELD, 'execution', 'trusted'];

function withOutputsOf(our: Fields, { metadata, outputs, execution_count }: Fields): Fields {
  const kept = { ...(our.metadata as Fields | undefined) };
  for (const name of OF_OUTPUTS) {
    delete kept[name];
    const their = (metadata as Fields | undefined)?.[name];
    if (their !== undefined) {
      kept[name] = their;
    }
  }
  return { ...our, metadata: kept, outputs, execution_count };
}

function outputsOf({ metadata, outputs, execution_count }: Fields): string {
  const { execution } = (metadata ?? {}) as Fields;
  return canonicalNotebook({ outputs, execution_count, execution });
}

function sourceOf({ source }: Fields): string {
  return canonicalNotebook({ source });
}

function heldBy(cell: Fields): ReturnType<typeof readHeld> {
  return readHeld((cell.metadata as Fields | undefined)?.[HELD]);
}

function withoutOutputs(cell: Fields): Fields {
  if (!isCode(cell)) {
    return cell;
  }
  const metadata = { ...(cell.metadata as Fields | undefined) };
  // When it ran: no more the user's than its outputs are.
  delete metadata.execution;
  return { ...cell, metadata, outputs: [], execution_count: null };
}

function isCode(cell: Fields): boolean {
  return cell.cell_type === 'code';
}

function cellsOf(notebook: unknown): Fields[] | null {
  const cells = (notebook as { cells?: unknown } | null)?.cells;
  return Array.isArray(cells) ? (cells as Fields[]) : null;
}
