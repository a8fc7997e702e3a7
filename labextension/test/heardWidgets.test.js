import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ServerConnection } from '@jupyterlab/services';
import { KernelConnection } from '@jupyterlab/services/lib/kernel/default.js';

import { futureOf } from '../lib/replay/adoptedRequest.js';
import { HeardWidgets } from '../lib/replay/heardWidgets.js';
import { fleetSocketClass, parsedOnce } from '../lib/stream/fleetSocket.js';
import { numbered, replayed } from '../lib/stream/numbered.js';
import { FakeFleet, FakePage, message, request, tick, until } from './fakeFleet.js';

const WIDGET = 'jupyter.widget';
const CONTROL = 'jupyter.widget.control';

const open = (comm, model = 'IntSliderModel', parent = {}) =>
  message(
    'comm_open',
    { comm_id: comm, target_name: WIDGET, data: { state: { _model_name: model, value: 7 } } },
    parent
  );
const change = (comm, value, parent = {}) =>
  message('comm_msg', { comm_id: comm, data: { method: 'update', state: { value } } }, parent);
const present = (comm, parent, value = 8) => {
  const slider = { model_name: 'IntSliderModel', state: { value } };
  const output = { model_name: 'OutputModel', state: {} };
  const data = { method: 'update_states', states: { slider, output }, buffer_paths: [] };
  return message('comm_msg', { comm_id: comm, data }, parent);
};

function heardWidgets(live = ['slider', 'output', 'cell']) {
  return new HeardWidgets({ clientId: 'page', hasComm: comm => live.includes(comm) });
}

test('a widget that JupyterLab has asked the kernel for does not go back to what is older', () => {
  const widgets = heardWidgets();
  const wants = (said, number) => widgets.wants(said, number);
  assert.equal(wants(open('slider'), 1), true);
  widgets.handled(numbered(present('control', { session: 'page' }), 5));
  assert.equal(wants(open('slider'), 1), false);
  assert.equal(wants(change('slider', 7), 4), false);
  assert.equal(wants(change('slider', 9), 6), true);
  // Others are as before: those that catch outputs, those that nobody asked for, and outputs.
  assert.equal(wants(open('output', 'OutputModel'), 2), true);
  assert.equal(wants(open('new'), 3), true);
  assert.equal(wants(message('stream', { text: '1' }), 3), true);
});

test("what another page has asked the kernel for, this page's widgets have not heard", () => {
  const widgets = heardWidgets();
  widgets.handled(numbered(present('control', { session: 'other' }), 5));
  assert.equal(widgets.wants(open('slider'), 1), true);
});

test('a widget hears what a cell said once, also if the page asks again', () => {
  const widgets = heardWidgets();
  widgets.handled(replayed(open('cell'), 1));
  widgets.handled(numbered(change('cell', 8, { session: 'other' }), 4));
  assert.equal(widgets.wants(open('cell'), 1), false);
  assert.equal(widgets.wants(change('cell', 3), 2), false);
  assert.equal(widgets.wants(change('cell', 9), 5), true);
  // What the page itself says comes before what others said, which waits for the answer.
  widgets.handled(numbered(change('cell', 9, { session: 'page' }), 7));
  assert.equal(widgets.wants(change('cell', 5), 6), true);
});

test('a widget that is closed, or whose connection has gone, is made anew', () => {
  const widgets = heardWidgets(['cell']);
  widgets.handled(numbered(present('control', { session: 'page' }), 5));
  assert.equal(widgets.wants(open('slider'), 1), true);
  widgets.handled(numbered(open('cell'), 6));
  widgets.handled(numbered(message('comm_close', { comm_id: 'cell' }), 7));
  assert.equal(widgets.wants(open('cell'), 6), true);
});

test('whatever code publishes as widgets is no error', () => {
  const widgets = heardWidgets();
  for (const content of [{}, { comm_id: 'a', data: null }, { data: { method: 'update_states' } }]) {
    for (const type of ['comm_open', 'comm_msg', 'comm_close']) {
      widgets.handled(numbered(message(type, content, { session: 'page' }), 1));
      assert.equal(widgets.wants(message(type, content), 1), true);
    }
  }
});

/** The widget manager of JupyterLab, as far as it makes and changes models. */
class WidgetManager {
  models = new Map();

  constructor(kernel) {
    this._kernel = kernel;
    kernel.registerCommTarget(WIDGET, (comm, { content }) =>
      this._make(comm.commId, comm, content.data.state)
    );
    void this._loadFromKernel();
  }

  async _make(id, comm, state) {
    const made = tick(5).then(() => {
      const model = { value: state.value };
      comm.onMsg = ({ content }) => {
        model.value = content.data.state.value;
      };
      return model;
    });
    this.models.set(id, made);
    await made;
  }

  async _loadFromKernel() {
    const control = this._kernel.createComm(CONTROL, 'control');
    control.open({}, { version: '1.0.0' });
    const states = await new Promise(answered => {
      control.onMsg = ({ content }) => answered(content.data.states);
      control.send({ method: 'request_states' });
    });
    control.close();
    for (const [id, { state }] of Object.entries(states)) {
      if (this.models.has(id)) {
        (await this.models.get(id)).value = state.value;
      } else {
        await this._make(id, this._kernel.createComm(WIDGET, id), state);
      }
    }
  }
}

/** A page that opens a notebook whose cell another page has run, as a widget that was moved since. */
async function openedPage(t) {
  const fleet = new FakeFleet();
  const page = new FakePage(fleet, { session: 'none' });
  const kernel = new KernelConnection({
    model: { id: 'kernel-1', name: 'python' },
    clientId: 'page',
    serverSettings: ServerConnection.makeSettings({
      baseUrl: 'http://lab/',
      wsUrl: 'ws://lab/',
      WebSocket: fleetSocketClass(page.signIn, page.streams),
      serializer: parsedOnce(ServerConnection.makeSettings().serializer)
    })
  });
  const stream = page.streams.get('kernel-1', 'page');
  t.after(() => {
    kernel.dispose();
    stream._connector.stop();
    stream._incoming.stop();
    page.leave();
  });
  const cell = request('other');
  const made = fleet.say(open('slider', 'IntSliderModel', cell.header));
  fleet.say(change('slider', 8, request('other', 'comm_msg').header));
  const widgets = new HeardWidgets(kernel);
  kernel.iopubMessage.connect((_, said) => widgets.handled(said));
  const manager = new WidgetManager(kernel);
  const record = { request: cell.header.msg_id, cell: 'c', session: 'other', state: 'done' };
  const answered = stream.replay(
    () => ({ c: null }),
    () => {
      stream.adopt(record.request);
      futureOf(kernel, record, '', 'c');
    },
    () => undefined,
    (said, number) => widgets.wants(said, number)
  );
  const taken = type => {
    const found = fleet.taken.filter(({ header }) => header.msg_type === type);
    return found.find(({ content }) => type !== 'comm_msg' || content.comm_id === 'control');
  };
  await until(() => taken('ask') && taken('kernel_info_request'));
  const info = { status: 'ok', protocol_version: '5.3', language_info: { name: 'python' } };
  const asked = taken('kernel_info_request').header;
  fleet.say(message('kernel_info_reply', info, asked, 'shell'));
  await until(() => taken('comm_msg'));
  return {
    manager,
    answered,
    replay: () => fleet.replay([{ ...record, first: made, last: made }], [made]),
    states: () => fleet.say(present('control', taken('comm_msg').header)),
    move: value => fleet.say(change('slider', value, request('other', 'comm_msg').header))
  };
}

for (const order of ['states first', 'replay first']) {
  test(`a widget of another page is as it is in the kernel, and goes on: ${order}`, async t => {
    const page = await openedPage(t);
    const steps = [page.states, page.replay];
    for (const step of order === 'states first' ? steps : steps.reverse()) {
      step();
    }
    await page.answered;
    await until(() => page.manager.models.has('slider'));
    const value = async () => (await page.manager.models.get('slider')).value;
    await tick(50);
    assert.equal(await value(), 8);
    page.move(9);
    await tick(50);
    assert.equal(await value(), 9);
  });
}
