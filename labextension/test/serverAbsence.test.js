import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { pauseUnlessBack, staysAway, untilBack } from '../lib/kernels/serverAbsence.js';

/**
 * A server that answers as `answers(time)` says, at the given time in ms since its first failure;
 * `sleeps` is the time at which the page's computer sleeps, and for how long.
 */
async function asked(answers, { sleeps } = {}) {
  let time = 0;
  let slept = false;
  const times = [];
  const wait = async ms => {
    time += ms;
    if (sleeps && !slept && time > sleeps.at) {
      slept = true;
      time += sleeps.for;
    }
  };
  // Who waits in a race waits for the time that the answer takes, and not for its own.
  const asking = {
    now: () => time,
    wait: ms => (ms === 3000 ? new Promise(() => {}) : wait(ms)),
    ask: async () => {
      times.push(time);
      if (!answers(time)) {
        throw new Error('Failed to fetch');
      }
    }
  };
  return { away: await staysAway(asking), time, times };
}

test('nobody hears of a server that is back within 10 s', async () => {
  for (const back of [0, 900, 5000, 9500]) {
    const { away, time } = await asked(now => now >= back);
    assert.equal(away, false);
    assert.ok(time <= back + 1000);
  }
});

test('a server that does not answer for 10 s is away', async () => {
  const { away, time } = await asked(() => false);
  assert.equal(away, true);
  assert.equal(time, 10_000);
});

test('a page whose computer slept asks several times before it complains', async () => {
  const { away, times } = await asked(now => now > 3_604_000, {
    sleeps: { at: 1500, for: 3_600_000 }
  });
  assert.equal(away, false);
  assert.equal(times.filter(time => time > 3_600_000).length, 4);
});

test('a server that does not answer at all is away too', async () => {
  let time = 0;
  const wait = async ms => {
    await Promise.resolve();
    time += ms;
  };
  const away = await staysAway({ ask: () => new Promise(() => {}), now: () => time, wait });
  assert.equal(away, true);
  assert.ok(time >= 10_000);
});

test('a pause ends when a kernel is connected again, or after its time', async () => {
  const streams = {};
  streams.connected = new Signal(streams);
  const hour = pauseUnlessBack(3_600_000, streams);
  streams.connected.emit();
  await hour;
  await pauseUnlessBack(1, streams);
  await pauseUnlessBack(1, null);
});

for (const silent of [false, true]) {
  test(`a server that was away for an hour is found within seconds, silent: ${silent}`, async () => {
    let time = 0;
    const hour = 3_600_000;
    const never = new Promise(() => {});
    const isBack = await untilBack(
      {
        wait: async ms => {
          await Promise.resolve();
          time += ms;
        },
        ask: async () => {
          if (time < hour) {
            await (silent ? never : Promise.reject(new Error('Failed to fetch')));
          }
        },
        random: () => 1
      },
      () => false
    );
    assert.equal(isBack, true);
    assert.ok(time < hour + 6000);
  });
}

test('nobody asks any more once the message is closed', async () => {
  const ask = () => assert.fail('it is asked');
  const isBack = await untilBack({ ask, wait: async () => {}, random: () => 0 }, () => true);
  assert.equal(isBack, false);
});
