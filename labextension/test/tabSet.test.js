import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TabSet } from '../lib/page/tabSet.js';

const KEY = 'some';

function storage() {
  const items = new Map();
  return {
    items,
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value)
  };
}

test('a tab knows what it remembered after a reload', () => {
  const kept = storage();
  new TabSet(kept, KEY).add('s1');
  const later = new TabSet(kept, KEY);
  assert.equal(later.has('s1'), true);
  assert.equal(later.has('s2'), false);
});

test('the newest of very many are kept', () => {
  const kept = storage();
  const tab = new TabSet(kept, KEY);
  for (let index = 0; index < 300; index += 1) {
    tab.add(`s${index}`);
  }
  const later = new TabSet(kept, KEY);
  assert.equal(later.has('s99'), false);
  assert.equal(later.has('s100'), true);
});

test('a storage that is missing, full or spoiled costs the memory of reloads alone', () => {
  const full = { ...storage(), setItem: () => assert.fail('full') };
  const spoiled = storage();
  spoiled.items.set(KEY, '{"a": [');
  const strange = storage();
  strange.items.set(KEY, '{"length": 1}');
  for (const one of [null, full, spoiled, strange]) {
    const tab = new TabSet(one, KEY);
    tab.add('s');
    assert.equal(tab.has('s'), true);
  }
});
