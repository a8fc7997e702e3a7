import assert from 'node:assert/strict';
import { test } from 'node:test';

import { settledOutputs } from '../lib/contents/settledOutputs.js';

const cell = (source, text, held, count = 1) => ({
  cell_type: 'code',
  execution_count: count,
  id: 'c1',
  metadata: held ? { jupyter_fleet: held } : {},
  outputs: text ? [{ name: 'stdout', output_type: 'stream', text }] : [],
  source
});
const notebook = (...cells) => ({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
const at = (number, request = 'r1', journal = undefined) => ({
  request,
  number,
  ...(journal && { journal })
});

test('of two states of one request the later one is saved, whoever has it', () => {
  const early = notebook(cell('a', '1\n', at(5), null));
  const late = notebook(cell('a', '1\n2\n', at(6)));
  assert.deepEqual(settledOutputs(early, late), late);
  assert.deepEqual(settledOutputs(late, early), late);
});

test('each cell is decided by itself', () => {
  const ours = notebook(cell('a', 'old', at(5)), cell('b', 'new', at(9, 'r2')));
  const theirs = notebook(cell('a', 'new', at(7)), cell('b', 'old', at(8, 'r2')));
  assert.deepEqual(
    settledOutputs(ours, theirs),
    notebook(cell('a', 'new', at(7)), cell('b', 'new', at(9, 'r2')))
  );
});

test('of two requests to one kernel the later one is saved, whoever has it', () => {
  const early = notebook(cell('a', 'early', at(5, 'r1', 'j')));
  const late = notebook(cell('a', 'late', at(9, 'r2', 'j')));
  assert.deepEqual(settledOutputs(early, late), late);
  assert.deepEqual(settledOutputs(late, early), late);
});

test('of two requests to different kernels a person chooses', () => {
  const ours = notebook(cell('a', 'ours', at(2, 'r9', 'j')));
  assert.equal(settledOutputs(ours, notebook(cell('a', 'theirs', at(5, 'r1', 'i')))), null);
  assert.equal(settledOutputs(ours, notebook(cell('a', 'theirs', at(5)))), null);
});

test('a request that has said nothing yet replaces no outputs', () => {
  const waiting = notebook(cell('a', '', at(0, 'r9')));
  const said = notebook(cell('a', 'said', at(5, 'r1', 'i')));
  assert.deepEqual(settledOutputs(waiting, said), said);
  assert.deepEqual(settledOutputs(said, waiting), said);
});

test('what the journal knows is saved before what it does not', () => {
  const ours = notebook(cell('a', 'ours', at(2, 'r9')));
  assert.deepEqual(settledOutputs(ours, notebook(cell('a', 'theirs'))), ours);
  const theirs = notebook(cell('a', 'theirs', at(3)));
  assert.deepEqual(settledOutputs(notebook(cell('a', 'ours')), theirs), theirs);
});

test('a person decides about everything else', () => {
  const ours = notebook(cell('a', '1', at(5)));
  assert.equal(settledOutputs(ours, notebook(cell('b', '2', at(6)))), null);
  assert.equal(settledOutputs(ours, notebook(cell('a', '2', at(6)), cell('a', '', null))), null);
  assert.equal(settledOutputs(ours, { ...ours, metadata: { language_info: {} } }), null);
  assert.equal(settledOutputs(notebook(cell('a', '1')), notebook(cell('a', '2'))), null);
  assert.equal(settledOutputs('text', 'other text'), null);
  assert.equal(settledOutputs('text', null), null);
});
