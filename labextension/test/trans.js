/** JupyterLab's translations, in English: what they put in place of %1 and %2. */
export const trans = {
  __: (text, ...values) => fill(text, values),
  _n: (one, many, count, ...values) => fill(count === 1 ? one : many, [count, ...values])
};

function fill(text, values) {
  return text.replace(/%(\d)/g, (_, at) => String(values[at - 1]));
}
