import assert from 'node:assert/strict';
import { test } from 'node:test';

import { updatesOf, WidgetStates } from '../lib/replay/widgetStates.js';
import { numbered, replayed } from '../lib/stream/numbered.js';
import { message } from './fakeFleet.js';

const states = {
  slider: { model_name: 'IntSliderModel', state: { value: 8 } },
  image: { model_name: 'ImageModel', state: { format: 'png' } },
  output: { model_name: 'OutputModel', state: { outputs: [] } },
  unknown: { model_name: 'IntSliderModel', state: { value: 1 } }
};
const [picture, other] = [new DataView(new ArrayBuffer(1)), new DataView(new ArrayBuffer(2))];
const answer = () => ({
  ...message('comm_msg', {
    comm_id: 'control',
    data: {
      method: 'update_states',
      states,
      buffer_paths: [
        ['unknown', 'value'],
        ['image', 'value', 0]
      ]
    }
  }),
  buffers: [other, picture]
});
const known = id => id in states && id !== 'unknown';

const open = (target = 'jupyter.widget') => message('comm_open', { target_name: target });

function kernelWithComms(t) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const said = [];
  const sent = [];
  const comms = [];
  const kernel = {
    status: 'busy',
    handleComms: true,
    hasComm: known,
    createComm: target => {
      const comm = {
        target,
        open: (_, metadata) => sent.push(['open', metadata.version]),
        send: data => sent.push(['send', data.method]),
        close: () => sent.push(['close'])
      };
      comms.push(comm);
      return comm;
    }
  };
  const widgets = new WidgetStates(kernel, messages => said.push(...messages));
  return { kernel, widgets, said, sent, comms };
}

test('each widget that the page has gets its state, with its own buffers', () => {
  const made = updatesOf(answer(), known);
  const what = made.map(({ content, buffers }) => [content.comm_id, content.data, buffers]);
  assert.deepEqual(what, [
    ['slider', { method: 'update', state: { value: 8 }, buffer_paths: [] }, []],
    [
      'image',
      { method: 'update', state: { format: 'png' }, buffer_paths: [['value', 0]] },
      [picture]
    ]
  ]);
  for (const { channel, header } of made) {
    assert.deepEqual([channel, header.msg_type, header.session], ['iopub', 'comm_msg', 'kernel']);
  }
});

test('the kernel is asked once when the widgets of a replay are made and changed', t => {
  const { widgets, said, sent, comms } = kernelWithComms(t);
  widgets.handled(replayed(open(), 1));
  t.mock.timers.tick(400);
  widgets.handled(replayed(message('comm_msg'), 2));
  t.mock.timers.tick(400);
  assert.deepEqual(sent, []);
  t.mock.timers.tick(200);
  assert.deepEqual(sent, [
    ['open', '1.0.0'],
    ['send', 'request_states']
  ]);
  assert.equal(comms[0].target, 'jupyter.widget.control');
  comms[0].onMsg(answer());
  assert.deepEqual(
    said.map(({ content }) => content.comm_id),
    ['slider', 'image']
  );
  assert.deepEqual(sent.at(-1), ['close']);
  t.mock.timers.tick(5_000);
  assert.equal(comms.length, 1);
});

test('nobody asks about what is live, other comms, or a kernel that has gone', t => {
  const { kernel, widgets, comms } = kernelWithComms(t);
  widgets.handled(numbered(open(), 1));
  widgets.handled(open());
  widgets.handled(replayed(open('other'), 2));
  widgets.handled(replayed(message('comm_msg'), 3));
  t.mock.timers.tick(5_000);
  widgets.handled(replayed(open(), 4));
  widgets.end();
  t.mock.timers.tick(5_000);
  kernel.status = 'dead';
  widgets.handled(replayed(open(), 5));
  t.mock.timers.tick(5_000);
  assert.deepEqual(comms, []);
});
