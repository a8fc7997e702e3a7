import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { quietly } from '../lib/replay/quietly.js';
import { UnsavedOutputs } from '../lib/replay/unsavedOutputs.js';

let model;
let alone;
let asked;
let unsaved;
const write = () => {
  model.dirty = true;
};

beforeEach(() => {
  model = { dirty: false };
  alone = false;
  asked = async () => undefined;
  unsaved = new UnsavedOutputs(
    model,
    () => alone,
    () => asked()
  );
});

test('what another page saves does not count as a change here', () => {
  unsaved.change(write);
  unsaved.settle();
  assert.equal(model.dirty, false);
});

test('a page that is left alone saves what the other one has not', () => {
  unsaved.change(write);
  alone = true;
  unsaved.settle();
  assert.equal(model.dirty, true);
  model.dirty = false;
  unsaved.settle();
  assert.equal(model.dirty, false);
});

test('there is nothing to save where nothing has changed, or somebody has saved', async () => {
  unsaved.change(() => undefined);
  alone = true;
  unsaved.settle();
  assert.equal(model.dirty, false);
  unsaved.change(write);
  assert.equal(model.dirty, false);
  const settled = unsaved.ask();
  unsaved.saved();
  await settled;
  assert.equal(model.dirty, false);
});

test('what the server says decides', async () => {
  asked = async () => {
    alone = true;
  };
  await unsaved.ask();
  assert.equal(alone, false);
  unsaved.change(write);
  await unsaved.ask();
  assert.equal(model.dirty, true);
});

test('while nobody can tell, nothing is saved', async () => {
  asked = async () => {
    throw new Error('no answer');
  };
  alone = true;
  unsaved.change(write);
  await unsaved.ask();
  assert.equal(model.dirty, false);
});

test("a person's own changes stay to be saved", () => {
  model.dirty = true;
  unsaved.change(write);
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
