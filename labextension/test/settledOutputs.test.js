import assert from 'node:assert/strict';
import { test } from 'node:test';

import { notebookText, settledOutputs } from '../lib/contents/settledOutputs.js';

const cell = (source, text, held, count = 1) => ({
  cell_type: 'code',
  execution_count: count,
  id: 'c1',
  metadata: held ? { jupyter_fleet: held } : {},
  outputs: text ? [{ name: 'stdout', output_type: 'stream', text }] : [],
  source
});
const notebook = (...cells) => ({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
const settle = (ours, theirs, before = null) => settledOutputs(ours, theirs, before);
const at = (number, request = 'r1', journal = undefined) => ({
  request,
  number,
  ...(journal && { journal })
});

test('of two states of one request the later one is saved, whoever has it', () => {
  const early = notebook(cell('a', '1\n', at(5), null));
  const late = notebook(cell('a', '1\n2\n', at(6)));
  assert.deepEqual(settle(early, late), late);
  assert.deepEqual(settle(late, early), late);
});

test('each cell is decided by itself', () => {
  const ours = notebook(cell('a', 'old', at(5)), cell('b', 'new', at(9, 'r2')));
  const theirs = notebook(cell('a', 'new', at(7)), cell('b', 'old', at(8, 'r2')));
  assert.deepEqual(
    settle(ours, theirs),
    notebook(cell('a', 'new', at(7)), cell('b', 'new', at(9, 'r2')))
  );
});

test('of two requests to one kernel the later one is saved, whoever has it', () => {
  const early = notebook(cell('a', 'early', at(5, 'r1', 'j')));
  const late = notebook(cell('a', 'late', at(9, 'r2', 'j')));
  assert.deepEqual(settle(early, late), late);
  assert.deepEqual(settle(late, early), late);
});

test('of two requests to different kernels a person chooses', () => {
  const ours = notebook(cell('a', 'ours', at(2, 'r9', 'j')));
  assert.equal(settle(ours, notebook(cell('a', 'theirs', at(5, 'r1', 'i')))), null);
  assert.equal(settle(ours, notebook(cell('a', 'theirs', at(5)))), null);
});

test('a request that has said nothing yet replaces no outputs', () => {
  const waiting = notebook(cell('a', '', at(0, 'r9')));
  const said = notebook(cell('a', 'said', at(5, 'r1', 'i')));
  assert.deepEqual(settle(waiting, said), said);
  assert.deepEqual(settle(said, waiting), said);
});

test('what the journal knows is saved before what it does not', () => {
  const ours = notebook(cell('a', 'ours', at(2, 'r9')));
  assert.deepEqual(settle(ours, notebook(cell('a', 'theirs'))), ours);
  const theirs = notebook(cell('a', 'theirs', at(3)));
  assert.deepEqual(settle(notebook(cell('a', 'ours')), theirs), theirs);
});

test('a person decides about everything else', () => {
  const ours = notebook(cell('a', '1', at(5)));
  assert.equal(settle(ours, notebook(cell('b', '2', at(6)))), null);
  assert.equal(settle(ours, notebook(cell('a', '2', at(6)), cell('a', '', null))), null);
  assert.equal(settle(ours, { ...ours, metadata: { language_info: {} } }), null);
  assert.equal(settle(notebook(cell('a', '1')), notebook(cell('a', '2'))), null);
  assert.equal(settle('text', 'other text'), null);
  assert.equal(settle('text', null), null);
});

test('an edit of ours stands over a version that has other outputs than we had, and nothing else', () => {
  const named = (id, ...rest) => ({ ...cell(...rest), id });
  const before = notebook(
    named('a', 'loop', '1\n', at(5)),
    named('b', 'old', ''),
    named('c', '', '')
  );
  const theirs = notebook(
    named('a', 'loop', '1\n2\n', at(6)),
    named('b', 'old', 'x', at(9, 'r2')),
    named('c', '', '')
  );
  const ours = notebook(named('n', 'new', ''), named('b', 'edited', ''), before.cells[0]);
  assert.deepEqual(
    settle(ours, theirs, notebookText(before)),
    notebook(named('n', 'new', ''), named('b', 'edited', 'x', at(9, 'r2')), theirs.cells[0])
  );
  assert.equal(settle(ours, theirs), null);
});

test('what our code said stays where their code, which was there before, said something later', () => {
  const before = notebook(cell('a', '1\n', at(5, 'r1', 'j')));
  const ours = notebook(cell('b', 'of b', at(7, 'r2', 'j')));
  const theirs = notebook(cell('a', '1\n', at(9, 'r3', 'j'), 3));
  assert.deepEqual(settle(ours, theirs, notebookText(before)), ours);
  // Of one request it is what went on while we edited.
  const goesOn = notebook(cell('a', '1\n2\n', at(8, 'r2', 'j')));
  const settled = settle(ours, goesOn, notebookText(before));
  assert.deepEqual(settled, notebook(cell('b', '1\n2\n', at(8, 'r2', 'j'))));
});

test('an edit of theirs is never saved over', () => {
  const before = notebook(cell('a', '1', at(5)));
  const ours = notebook(cell('ours', '1', at(5)));
  const text = notebookText(before);
  assert.equal(settle(ours, notebook(cell('theirs', '1', at(5))), text), null);
  assert.equal(settle(before, notebook(cell('theirs', '1', at(5))), text), null);
});

test('whether outputs are trusted goes with them', () => {
  const trusted = (text, number, is) => {
    const one = cell('a', text, at(number));
    return notebook({ ...one, metadata: { ...one.metadata, trusted: is } });
  };
  const early = trusted('1', 5, true);
  const late = trusted('2', 6, false);
  assert.deepEqual(settle(early, late), late);
  assert.deepEqual(settle(late, early), late);
});
