import assert from 'node:assert/strict';
import { test } from 'node:test';

import { quietly } from '../lib/replay/quietly.js';
import { UnsavedOutputs } from '../lib/replay/unsavedOutputs.js';

let model;
let alone;
let unsaved;
const write = () => {
  model.dirty = true;
};

test.beforeEach(() => {
  model = { dirty: false };
  alone = false;
  unsaved = new UnsavedOutputs(model, () => alone);
});

test('what another page saves does not count as a change here', () => {
  unsaved.change(write, false);
  unsaved.settle();
  assert.equal(model.dirty, false);
});

test('a page that is left alone saves what the other one has not', () => {
  unsaved.change(write, false);
  alone = true;
  unsaved.settle();
  assert.equal(model.dirty, true);
  model.dirty = false;
  unsaved.settle();
  assert.equal(model.dirty, false);
});

test('there is nothing to save where nothing has changed, or somebody has saved', () => {
  unsaved.change(() => undefined, true);
  alone = true;
  unsaved.settle();
  assert.equal(model.dirty, false);
  unsaved.change(write, true);
  assert.equal(model.dirty, false);
  unsaved.saved();
  unsaved.settle();
  assert.equal(model.dirty, false);
});

test('a page that is alone saves as it goes', () => {
  alone = true;
  unsaved.change(write, false);
  assert.equal(model.dirty, true);
});

test("a person's own changes stay to be saved", () => {
  model.dirty = true;
  unsaved.change(write, true);
  quietly(model, write);
  assert.equal(model.dirty, true);
});

test('a change that fails is quiet all the same', () => {
  const fail = () => {
    write();
    throw new Error('no');
  };
  assert.throws(() => quietly(model, fail), /no/);
  assert.equal(model.dirty, false);
});
