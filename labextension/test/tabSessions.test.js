import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TabSessions } from '../lib/replay/tabSessions.js';

function storage() {
  const items = new Map();
  return {
    items,
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value)
  };
}

test('a tab knows its sessions after a reload', () => {
  const kept = storage();
  new TabSessions(kept).add('s1');
  const later = new TabSessions(kept);
  assert.equal(later.has('s1'), true);
  assert.equal(later.has('s2'), false);
});

test('the newest of very many sessions are kept', () => {
  const kept = storage();
  const tab = new TabSessions(kept);
  for (let index = 0; index < 300; index += 1) {
    tab.add(`s${index}`);
  }
  const later = new TabSessions(kept);
  assert.equal(later.has('s99'), false);
  assert.equal(later.has('s100'), true);
});

test('a storage that is missing, full or spoiled costs the memory of reloads alone', () => {
  const full = { ...storage(), setItem: () => assert.fail('full') };
  const spoiled = storage();
  spoiled.items.set('jupyter-fleet:sessions', '{"a": [');
  const strange = storage();
  strange.items.set('jupyter-fleet:sessions', '{"length": 1}');
  for (const one of [null, full, spoiled, strange]) {
    const tab = new TabSessions(one);
    tab.add('s');
    assert.equal(tab.has('s'), true);
  }
});
