export type BrowserName = 'chromium' | 'firefox';
export type FoundBrowser = { readonly path: string; readonly isPlaywrights: boolean };
export type LaunchOptions = {
  executablePath: string;
  headless: boolean;
  channel?: string;
  args?: string[];
};
export function findBrowser(name: BrowserName): FoundBrowser | undefined;
export function installHint(name: BrowserName): string;
export function launchOptions(name: BrowserName): LaunchOptions;
