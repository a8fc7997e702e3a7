import { Sanitizer } from '@jupyterlab/apputils';
import { IRenderMime, IRenderMimeRegistry, RenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { cleanedRenderer } from './cleanedRenderer.js';
import { GuardedOutput } from './guardedOutput.js';
import { headingSanitizer } from './headingSanitizer.js';
import { isMine } from './mine.js';
import type { IFramePage } from './outputFrame.js';
import { stayingSanitizer } from './stayingSanitizer.js';
import { isSameForAll, typeToDraw, wayToDraw, withheldType } from './outputTypes.js';
import { withWithheldNote } from './withheldNote.js';

/**
 * JupyterLab's registry of renderers, but no output that the user does not trust is drawn with this
 * page's origin, whichever extension brings its renderer and whatever that says of itself.
 *
 * Notebooks work with clones, to which widget managers add renderers later.
 */
export class GuardedRegistry extends RenderMimeRegistry {
  constructor(options: RenderMimeRegistry.IOptions, page: IFramePage) {
    const sanitizer = options.sanitizer ?? new Sanitizer();
    super({ ...options, sanitizer: headingSanitizer(sanitizer) });
    this._sanitizer = sanitizer;
    this._page = page;
  }

  preferredMimeType(
    bundle: ReadonlyPartialJSONObject,
    safe: 'ensure' | 'prefer' | 'any' = 'ensure'
  ): string | undefined {
    // JupyterLab asks for any type where the output is trusted.
    const stock = isMine({ trusted: safe === 'any' })
      ? super.preferredMimeType(bundle, 'any')
      : typeToDraw(this.mimeTypes, bundle);
    return stock ?? (safe === 'prefer' ? super.preferredMimeType(bundle, 'any') : undefined);
  }

  createRenderer(mimeType: string): IRenderMime.IRenderer {
    if (mimeType === 'text/plain') {
      return withWithheldNote(
        this._stock(mimeType),
        data => withheldType(this.mimeTypes, data),
        this.translator
      );
    }
    const way = wayToDraw(mimeType);
    if (way === 'opened' || isSameForAll(mimeType)) {
      return this._stock(mimeType);
    }
    if (way === 'shown') {
      return cleanedRenderer(this._stock(mimeType));
    }
    return new GuardedOutput(mimeType, {
      stock: type => this._stock(type),
      typeOf: data => typeToDraw(this.mimeTypes, data),
      page: this._page,
      translator: this.translator
    });
  }

  clone(options: IRenderMimeRegistry.ICloneOptions = {}): GuardedRegistry {
    const clone = new GuardedRegistry(
      {
        resolver: options.resolver ?? this.resolver ?? undefined,
        sanitizer: options.sanitizer ?? this._sanitizer,
        linkHandler: options.linkHandler ?? this.linkHandler ?? undefined,
        trustHandler: options.trustHandler ?? this.trustHandler ?? undefined,
        latexTypesetter: options.latexTypesetter ?? this.latexTypesetter ?? undefined,
        markdownParser: options.markdownParser ?? this.markdownParser ?? undefined,
        translator: this.translator
      },
      this._page
    );
    for (const mimeType of this.mimeTypes) {
      const factory = this.getFactory(mimeType)!;
      // A factory of several types may have lost some of them to another one.
      const ofType = Object.create(factory, {
        mimeTypes: { value: [mimeType], enumerable: true }
      }) as IRenderMime.IRendererFactory;
      clone.addFactory(ofType, this.getRank(mimeType));
    }
    return clone;
  }

  /** JupyterLab's renderer, with the sanitizer that leaves pictures. */
  private _stock(mimeType: string): IRenderMime.IRenderer {
    const factory = this.getFactory(mimeType);
    if (!factory) {
      throw new Error(`No factory for mime type: '${mimeType}'`);
    }
    return factory.createRenderer({
      mimeType,
      resolver: this.resolver,
      sanitizer: stayingSanitizer(this._sanitizer),
      linkHandler: this.linkHandler,
      trustHandler: this.trustHandler,
      latexTypesetter: this.latexTypesetter,
      markdownParser: this.markdownParser,
      translator: this.translator
    });
  }

  private readonly _sanitizer: IRenderMime.ISanitizer;
  private readonly _page: IFramePage;
}
