/** Rejects with the complaint when a step takes too long: a test must end, and say which step did not. */
export async function within<T>(step: Promise<T>, complaint: string, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${complaint} within ${timeoutMs / 1_000} s.`)), timeoutMs);
  });
  try {
    return await Promise.race([step, late]);
  } finally {
    clearTimeout(timer);
  }
}
