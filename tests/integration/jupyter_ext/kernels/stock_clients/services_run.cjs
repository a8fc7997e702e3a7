/**
 * Runs one cell in a new session with @jupyterlab/services as it is, which is how JupyterLab and VS
 * Code talk to a server. Arguments: the server's URL, a token, the path, the kernelspec, the code.
 * Prints what the cell prints and the session as JSON, or the error.
 */
const { KernelManager, ServerConnection, SessionManager } = require('@jupyterlab/services');
const WebSocket = require('ws');

const [baseUrl, token, path, kernel, code] = process.argv.slice(2);

async function main() {
  // As in VS Code: a websocket of node has no other way to say who it is.
  class SignedWebSocket extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers: { Authorization: `token ${token}` } });
    }
  }
  const serverSettings = ServerConnection.makeSettings({
    baseUrl: `${baseUrl}/`,
    wsUrl: `${baseUrl.replace('http', 'ws')}/`,
    token,
    appendToken: false,
    WebSocket: SignedWebSocket
  });
  const kernelManager = new KernelManager({ serverSettings });
  const manager = new SessionManager({ serverSettings, kernelManager });
  const name = path.split('/').pop();
  const session = await manager.startNew({ path, name, type: 'notebook', kernel: { name: kernel } });
  let text = '';
  const states = [];
  session.kernel.statusChanged.connect((_, status) => states.push(status));
  const future = session.kernel.requestExecute({ code });
  future.onIOPub = message => {
    text += message.content.text ?? '';
  };
  const reply = await future.done;
  const info = await session.kernel.info;
  const result = { text, status: reply.content.status, id: session.id, states };
  await session.shutdown();
  return { ...result, language: info.language_info.name };
}

main()
  .then(result => console.log(JSON.stringify(result)))
  .catch(error => console.log(JSON.stringify({ error: error.message })))
  .finally(() => process.exit(0));
