/** What documents are asked for and saved as. */
export const NOTEBOOK = { type: 'notebook', format: 'json' };
export const BINARY = { type: 'file', format: 'base64' };

/** A notebook with one code cell. */
export const notebook = source => ({
  cells: [{ cell_type: 'code', id: 'c1', metadata: {}, outputs: [], source }],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 5
});
