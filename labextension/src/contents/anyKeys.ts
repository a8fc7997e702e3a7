/** A map of shared documents, as far as its class goes. */
export interface ISharedMap {
  set(key: string, value: unknown): unknown;
}

/**
 * Have shared documents take JSON whose objects have a key `constructor`.
 *
 * A shared map tells by the `constructor` of a value what it is, and throws for what it does not know. Output
 * data with such a key, which anybody may save or send, would keep a notebook from opening.
 *
 * @param map - any map of the documents; what is changed is its class.
 */
export function acceptAnyKeys(map: ISharedMap): void {
  const shared = Object.getPrototypeOf(map) as ISharedMap;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called on its map
  const set = shared.set;
  shared.set = function (this: ISharedMap, key: string, value: unknown) {
    return hasOwnWord(value)
      ? asPlainObject(value, () => set.call(this, key, value))
      : set.call(this, key, value);
  };
}

/** Whether this is JSON whose `constructor` is no function, as that of every object is otherwise. */
function hasOwnWord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && typeof value.constructor !== 'function';
}

/** Do something while this is a plain object to all who ask for its constructor. */
function asPlainObject<T>(value: object, act: () => T): T {
  const own = Object.getOwnPropertyDescriptor(value, 'constructor');
  Object.defineProperty(value, 'constructor', { value: Object, configurable: true });
  try {
    return act();
  } finally {
    if (own) {
      Object.defineProperty(value, 'constructor', own);
    } else {
      delete (value as { constructor?: unknown }).constructor;
    }
  }
}
