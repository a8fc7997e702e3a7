import { HELD, readHeld } from './heldMetadata.js';
import { sameContent } from './sameContent.js';

type Fields = Record<string, unknown>;

/**
 * The notebook to save over a version that differs from it in nothing but what kernels have said.
 *
 * Two pages that show one notebook show the same outputs, each as far as it has come. Of each cell the
 * outputs are taken that are further in the same journal.
 *
 * @param ours - The notebook that was to be saved.
 * @param theirs - The version that was saved meanwhile.
 * @returns null if something else differs, or nobody can tell which outputs are further: a person
 *   has to decide.
 */
export function settledOutputs(ours: unknown, theirs: unknown): unknown {
  const ourCells = cellsOf(ours);
  const theirCells = cellsOf(theirs);
  if (
    !ourCells ||
    !theirCells ||
    ourCells.length !== theirCells.length ||
    !sameContent(
      { ...(ours as Fields), cells: ourCells.map(withoutOutputs) },
      { ...(theirs as Fields), cells: theirCells.map(withoutOutputs) },
      'notebook'
    )
  ) {
    return null;
  }
  const cells = [];
  for (const [at, our] of ourCells.entries()) {
    const chosen = chosenCell(our, theirCells[at]);
    if (!chosen) {
      return null;
    }
    cells.push(chosen);
  }
  return { ...(ours as Fields), cells };
}

/** The cell whose outputs are further; null if nobody can tell. */
function chosenCell(our: Fields, their: Fields): Fields | null {
  if (sameContent({ cells: [our] }, { cells: [their] }, 'notebook')) {
    return our;
  }
  const ourHeld = heldBy(our);
  const theirHeld = heldBy(their);
  if (!ourHeld && !theirHeld) {
    return null;
  }
  if (!ourHeld || !theirHeld) {
    return ourHeld ? our : their;
  }
  // A request that has said nothing replaces nothing.
  const isComparable =
    ourHeld.request === theirHeld.request ||
    (ourHeld.journal !== undefined && ourHeld.journal === theirHeld.journal) ||
    !ourHeld.number ||
    !theirHeld.number;
  if (!isComparable) {
    return null;
  }
  return theirHeld.number > ourHeld.number ? their : our;
}

function heldBy(cell: Fields): ReturnType<typeof readHeld> {
  return readHeld((cell.metadata as Fields | undefined)?.[HELD]);
}

function withoutOutputs(cell: Fields): Fields {
  if (cell.cell_type !== 'code') {
    return cell;
  }
  const metadata = { ...(cell.metadata as Fields | undefined) };
  // When it ran: no more the user's than its outputs are.
  delete metadata.execution;
  return { ...cell, metadata, outputs: [], execution_count: null };
}

function cellsOf(notebook: unknown): Fields[] | null {
  const cells = (notebook as { cells?: unknown } | null)?.cells;
  return Array.isArray(cells) ? (cells as Fields[]) : null;
}
