/** Of the package, as in its package.json: a test compares them. */
export const VERSION: string = '0.1.0';
