/** The bytes of a format document's worked example: pairs of hex digits at the start of each indented line. */
export function bytesOfExample(document: string): readonly number[] {
  const example = document.slice(document.indexOf('## A worked example'));
  const lines = example.split('\n').filter((line) => line.startsWith('    '));
  return lines.flatMap((line) => {
    const [hex = ''] = /^(?:[0-9a-f]{2} )*[0-9a-f]{2}(?= {2,}|$)/.exec(line.trim()) ?? [];
    return hex.split(' ').map((pair) => Number.parseInt(pair, 16));
  });
}
