import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addFrame, removeFrame } from '../lib/outputs/attachedFrames.js';

test('one listener serves all frames, each when its own window says so', () => {
  const listeners = new Set();
  globalThis.window = {
    addEventListener: (_, listener) => listeners.add(listener),
    removeEventListener: (_, listener) => listeners.delete(listener)
  };
  const ready = [];
  const frames = ['first', 'second'].map(name => ({
    window: { name },
    onReady: () => ready.push(name)
  }));
  const unloaded = { window: null, onReady: () => ready.push('unloaded') };
  [unloaded, ...frames].forEach(addFrame);
  assert.equal(listeners.size, 1);
  const say = (source, data) => listeners.forEach(listener => listener({ source, data }));
  say(frames[1].window, { fleet: 'frame' });
  say(frames[0].window, 'drawn');
  say({ name: 'first' }, { fleet: 'frame' });
  say(null, { fleet: 'frame' });
  assert.deepEqual(ready, ['second']);
  removeFrame(frames[1]);
  say(frames[1].window, { fleet: 'frame' });
  say(frames[0].window, { fleet: 'frame' });
  assert.deepEqual(ready, ['second', 'first']);
  [unloaded, frames[0]].forEach(removeFrame);
  assert.equal(listeners.size, 0);
});
