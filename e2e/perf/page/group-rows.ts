/** Grouping in JavaScript, as the users of systems without one have to. */
import type { ProjectGroup } from './system.ts';
import type { TaskDocument } from './task-document.ts';

export function groupRows(rows: Iterable<Pick<TaskDocument, 'project' | 'priority'>>): ProjectGroup[] {
  const groups = new Map<string, { project: string; total: number; count: number }>();
  for (const { project, priority } of rows) {
    const group = groups.get(project);
    if (group === undefined) groups.set(project, { project, total: priority, count: 1 });
    else {
      group.total += priority;
      group.count++;
    }
  }
  return [...groups.values()];
}
