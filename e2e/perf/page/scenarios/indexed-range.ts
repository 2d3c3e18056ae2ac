import { fill } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, PROJECT_COUNT, projectName, type TaskDocument, taskDocument } from '../task-document.ts';

const LIMIT = 20;
const WARM_UP = 20;

export const indexedRange: Scenario = defineScenario({
  name: 'indexed-range',
  what: `One project, dueAt from a random document's on, ascending, limit ${LIMIT}: the compound index, or the nearest.`,
  metrics: { each: 'ms' },
  operations: 300,
  steps: [
    {
      name: 'range',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const byProject = documentsByProject(context.size);
        const random = createRandom(13);
        const draw = () => {
          const documents = byProject.get(projectName(randomBelow(random, PROJECT_COUNT))) ?? [];
          const start = randomBelow(random, documents.length);
          return { first: documents[start] ?? taskDocument(0), expected: documents.slice(start, start + LIMIT) };
        };
        for (let call = 0; call < WARM_UP; call++) {
          const { first } = draw();
          await session.range(first.project, first.dueAt, LIMIT);
        }
        const ranges = Array.from({ length: context.operations }, draw);
        const answers: (readonly unknown[])[] = [];
        const times: number[] = [];
        await context.elapsed(async () => {
          for (const { first } of ranges) {
            const start = performance.now();
            answers.push(await session.range(first.project, first.dueAt, LIMIT));
            times.push(performance.now() - start);
          }
        });
        context.record('each', ...times);
        for (const [at, { first, expected }] of ranges.entries()) {
          const rows = answers[at] ?? [];
          const isRight =
            rows.length === expected.length && expected.every((row, each) => isSameDocument(rows[each], row));
          check(isRight, () => `${rows.length} rows of ${first.project} from ${first.dueAt}, or in another order.`);
        }
      },
    },
  ],
});

function documentsByProject(size: number): Map<string, TaskDocument[]> {
  const byProject = new Map<string, TaskDocument[]>();
  for (let number = 0; number < size; number++) {
    const document = taskDocument(number);
    const documents = byProject.get(document.project);
    if (documents === undefined) byProject.set(document.project, [document]);
    else documents.push(document);
  }
  // Equal times within a project: systems break the tie by key, and keys rise with the number.
  for (const documents of byProject.values()) documents.sort((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1));
  return byProject;
}
