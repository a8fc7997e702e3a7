import assert from 'node:assert/strict';
import { test } from 'node:test';

import { whenNearView } from '../lib/outputs/nearView.js';

test('an output is near view although JupyterLab says nothing while a notebook is scrolled', () => {
  let say;
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
  say([{ target: second, isIntersecting: true }]);
  say([{ target: second, isIntersecting: true }]);
  assert.deepEqual(drawn, ['first', 'second']);
});
