import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HELD } from '../lib/contents/heldMetadata.js';
import { HeldInMetadata } from '../lib/replay/heldInMetadata.js';
import { HeldOutputs } from '../lib/replay/heldOutputs.js';

/** A cell that tells of its metadata as JupyterLab's do: of each change, and of nothing else. */
class FakeCell {
  constructor(id, held) {
    this.id = id;
    this._metadata = new Map(held ? [[HELD, held]] : []);
    const slots = new Set();
    this.metadataChanged = { connect: slot => slots.add(slot) };
    this._changed = key => slots.forEach(slot => slot(this, { key }));
  }
  getMetadata(key) {
    return this._metadata.get(key);
  }
  setMetadata(key, value) {
    if (JSON.stringify(value) !== JSON.stringify(this.getMetadata(key))) {
      this._metadata.set(key, value);
      this._changed(key);
    }
  }
  deleteMetadata(key) {
    if (this._metadata.delete(key)) {
      this._changed(key);
    }
  }
}

function metadata() {
  const outputs = new HeldOutputs();
  const read = [];
  const held = new HeldInMetadata(outputs, ({ id }, what) => read.push([id, what]));
  return { outputs, read, held };
}

const OLD = { request: 'r1', number: 4, journal: 'j' };
const PUT = { request: 'r1', number: 9, journal: 'j', sent: '2026-01-01T10:00:00Z' };

test('cells from the file hold what it says', () => {
  const { outputs, read, held } = metadata();
  const cells = [new FakeCell('a', OLD), new FakeCell('b')];
  held.read(cells);
  held.read(cells);
  assert.deepEqual([outputs.of('a'), outputs.of('b')], [OLD, null]);
  assert.deepEqual(read, [
    ['a', OLD],
    ['b', null]
  ]);
  // The file was reverted.
  held.read([new FakeCell('a', PUT), cells[1]]);
  assert.deepEqual(outputs.of('a'), PUT);
});

test('what others put into a cell is what the next save says of it', () => {
  const { outputs, read, held } = metadata();
  const cell = new FakeCell('a', OLD);
  held.read([cell]);
  cell.setMetadata(HELD, PUT);
  assert.deepEqual(outputs.of('a'), PUT);
  assert.deepEqual(read.at(-1), ['a', PUT]);
  held.write([cell]);
  assert.deepEqual(cell.getMetadata(HELD), PUT);
});

test('a cell of which others say that nobody knows what it holds says nothing when it is saved', () => {
  const { held } = metadata();
  const cell = new FakeCell('a', OLD);
  held.read([cell]);
  cell.deleteMetadata(HELD);
  held.write([cell]);
  assert.equal(cell.getMetadata(HELD), undefined);
});

test('what the page has written itself, and what is about something else, changes nothing', () => {
  const { outputs, read, held } = metadata();
  const cell = new FakeCell('a');
  held.follow(cell);
  outputs.began('a', 'r2', '2026-01-01T11:00:00Z');
  held.write([cell]);
  const own = { request: 'r2', number: 0, sent: '2026-01-01T11:00:00Z' };
  assert.deepEqual(cell.getMetadata(HELD), own);
  cell.setMetadata('tags', ['x']);
  assert.deepEqual(read, []);
  assert.equal(outputs.cellOf('r2'), 'a');
});

test('a cell that is not in the notebook any more says nothing of the one in its place', () => {
  const { outputs, held } = metadata();
  const before = new FakeCell('a', OLD);
  held.read([before]);
  held.read([new FakeCell('a', PUT)]);
  before.deleteMetadata(HELD);
  assert.deepEqual(outputs.of('a'), PUT);
});
