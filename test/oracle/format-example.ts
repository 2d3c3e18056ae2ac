/** The bytes of an example in a format document: pairs of hex digits at the start of each indented line of its section. */
export function bytesOfExample(document: string, heading = 'A worked example'): readonly number[] {
  const [, example = ''] = document.split(`## ${heading}\n`);
  const lines = example
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('    '));
  return lines.flatMap((line) => {
    const [hex = ''] = /^(?:[0-9a-f]{2} )*[0-9a-f]{2}(?= {2,}|$)/.exec(line.trim()) ?? [];
    return hex.split(' ').map((pair) => Number.parseInt(pair, 16));
  });
}
