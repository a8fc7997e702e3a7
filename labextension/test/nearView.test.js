import assert from 'node:assert/strict';
import { test } from 'node:test';

import { forget, whenNearView } from '../lib/outputs/nearView.js';

/** What says to the one observer of the page that elements have come into view. */
let say;

test('an output is near view although JupyterLab says nothing while a notebook is scrolled', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  class Own {
    constructor(callback) {
      say = callback;
    }
    observe() {}
    unobserve() {}
  }
  class OfJupyterLab extends Own {
    constructor() {
      super(() => {});
    }
  }
  globalThis.IntersectionObserver = class extends OfJupyterLab {};
  const [first, second] = [{}, {}];
  const drawn = [];
  whenNearView(first, () => drawn.push('first'));
  whenNearView(second, () => drawn.push('second'));
  say([
    { target: first, isIntersecting: true },
    { target: second, isIntersecting: false }
  ]);
  assert.deepEqual(drawn, ['first']);
  t.mock.timers.tick(1000);
  say([{ target: second, isIntersecting: true }]);
  say([{ target: second, isIntersecting: true }]);
  t.mock.timers.tick(1000);
  assert.deepEqual(drawn, ['first', 'second']);
});

test('outputs that come into view soon after another are drawn together, without those that went', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const drawn = [];
  const outputs = ['first', 'second', 'gone', 'third'].map(name => {
    const element = {};
    whenNearView(element, () => drawn.push(name));
    return element;
  });
  outputs.forEach(target => say([{ target, isIntersecting: true }]));
  forget(outputs[2]);
  assert.deepEqual(drawn, ['first']);
  t.mock.timers.tick(200);
  assert.deepEqual(drawn, ['first', 'second', 'third']);
});
