// Draws one output that the user of the page around it does not trust. What is drawn may change
// anything here, so the page believes nothing that it hears from here.
(() => {
  'use strict';
  const around = parent;
  const root = document.documentElement;
  let port = null;
  let place = null;
  let drawing = 0;
  let height = -1;
  let hasFailed = false;

  const sayHeight = () => {
    // Also what is placed absolutely, as the plots of Bokeh are.
    const within = document.body?.scrollHeight ?? 0;
    const tall = Math.ceil(Math.max(root.getBoundingClientRect().height, within));
    if (tall !== height) {
      height = tall;
      port.postMessage({ height });
    }
  };

  // The page around it says that below the frame, once, and so much of it at most.
  const sayFailure = reason => {
    if (!hasFailed) {
      hasFailed = true;
      port.postMessage({ failed: String(reason).slice(0, 500) });
    }
  };

  const setTheme = theme => {
    for (const [name, value] of Object.entries(theme)) {
      root.style.setProperty(name, value);
    }
  };

  // `innerHTML` runs no scripts: new ones take their places, each when those before it have run.
  const runScripts = async (within, number) => {
    for (const dead of [...within.querySelectorAll('script')]) {
      if (number !== drawing) {
        return;
      }
      const script = document.createElement('script');
      for (const { name, value } of dead.attributes) {
        script.setAttribute(name, value);
      }
      // A script that is made by a script is asynchronous unless it is told.
      script.async = dead.hasAttribute('async');
      script.textContent = dead.textContent;
      const ran =
        script.src && !script.async
          ? new Promise(resolve => {
              script.onload = script.onerror = resolve;
            })
          : null;
      dead.replaceWith(script);
      await ran;
    }
  };

  const draw = ({ mimeType, data }) => {
    drawing += 1;
    place = document.createElement('div');
    document.body?.replaceChildren(place);
    if (mimeType.endsWith('/javascript')) {
      try {
        new Function('element', data)(place);
      } catch (error) {
        place.textContent = String(error);
      }
    } else {
      place.innerHTML = data;
      if (mimeType === 'text/html') {
        void runScripts(place, drawing);
      }
    }
    sizes.disconnect();
    sizes.observe(root);
    sizes.observe(place);
    sayHeight();
  };

  const sizes = new ResizeObserver(sayHeight);

  // The page opens links: nothing here may open a window, and the frame is no place for a site.
  const openLink = event => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    const target = link && (link.getAttribute('href') ?? link.getAttribute('xlink:href'));
    if (!target || target.startsWith('#')) {
      return;
    }
    event.preventDefault();
    let url;
    try {
      url = new URL(target, document.baseURI);
    } catch {
      return;
    }
    port.postMessage({ open: url.href });
  };

  const begin = event => {
    const first = event.data;
    if (event.source !== around || first?.fleet !== 'output' || event.ports.length !== 1) {
      return;
    }
    removeEventListener('message', begin);
    [port] = event.ports;
    port.onmessage = ({ data }) => {
      if (data.theme) {
        setTheme(data.theme);
      }
      if (data.output) {
        draw(data.output);
      }
    };
    addEventListener('click', openLink);
    // Not those of pictures and scripts that cannot be loaded: these do not come up to here.
    addEventListener('error', ({ message }) => {
      // Browsers report this as well, which is no failure: what is left is drawn with the next picture.
      if (!message.startsWith('ResizeObserver loop')) {
        sayFailure(message);
      }
    });
    addEventListener('unhandledrejection', ({ reason: why }) => sayFailure(why));
    setTheme(first.theme);
    draw(first.output);
  };

  addEventListener('message', begin);
  around.postMessage({ fleet: 'frame' }, '*');
})();
