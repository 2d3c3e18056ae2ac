// Finds the browsers that tests drive, without dependencies: it runs before anything is installed.
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';

const KNOWN = {
  chromium: {
    variable: 'CHROMIUM_PATH',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    fixed: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    // Playwright's own, newest first, below its cache.
    own: [
      /^chromium-\d+$/,
      [
        'chrome-linux64/chrome',
        'chrome-linux/chrome',
        'chrome-mac/Chromium.app/Contents/MacOS/Chromium',
        'chrome-win64/chrome.exe',
      ],
    ],
    install:
      'On Debian or Ubuntu: apt-get install chromium. Elsewhere: npx playwright install chromium, or set CHROMIUM_PATH.',
  },
  firefox: {
    variable: 'FIREFOX_PATH',
    commands: ['firefox-esr', 'firefox'],
    fixed: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
    own: [/^firefox-\d+$/, ['firefox/firefox', 'firefox/Nightly.app/Contents/MacOS/firefox', 'firefox/firefox.exe']],
    install: 'On Debian: apt-get install firefox-esr. Elsewhere: npx playwright install firefox, or set FIREFOX_PATH.',
  },
};

/** Where a browser is and whether it is Playwright's own build, or undefined. A variable that points nowhere throws. */
export function findBrowser(name) {
  const { variable, commands, fixed, own } = KNOWN[name];
  const chosen = process.env[variable];
  if (chosen) {
    if (!existsSync(chosen)) throw new Error(`${variable} is ${chosen}, and there is no such file.`);
    return { path: chosen, isPlaywrights: false };
  }
  for (const folder of playwrightFolders()) {
    const [pattern, files] = own;
    const versions = readdirSync(folder).filter((entry) => pattern.test(entry));
    versions.sort((a, b) => Number(b.replace(/\D/g, '')) - Number(a.replace(/\D/g, '')));
    for (const version of versions) {
      for (const file of files) {
        const path = join(folder, version, file);
        if (existsSync(path)) return { path, isPlaywrights: true };
      }
    }
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = [...commands.flatMap((command) => folders.map((folder) => join(folder, command))), ...fixed];
  const path = candidates.find((candidate) => existsSync(candidate));
  return path === undefined ? undefined : { path, isPlaywrights: false };
}

export function installHint(name) {
  return `No ${name} was found. ${KNOWN[name].install}`;
}

/** Options for Playwright's `launch` and `launchPersistentContext`. Throws with what to install when there is no browser. */
export function launchOptions(name) {
  const found = findBrowser(name);
  if (found === undefined) throw new Error(installHint(name));
  if (name === 'firefox') {
    // A stock Firefox speaks WebDriver BiDi, which Playwright drives through this channel; its own build is patched.
    const channel = found.isPlaywrights ? {} : { channel: 'moz-firefox' };
    return { executablePath: found.path, headless: true, ...channel };
  }
  // Root cannot use the sandbox (containers); for everybody else it stays on.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  return {
    executablePath: found.path,
    headless: true,
    args: [...sandbox, ...quiet, '--disable-component-update', '--disable-sync'],
  };
}

function playwrightFolders() {
  const home = homedir();
  const chosen = process.env['PLAYWRIGHT_BROWSERS_PATH'];
  const folders = [
    ...(chosen && chosen !== '0' ? [chosen] : []),
    join(home, '.cache/ms-playwright'),
    join(home, 'Library/Caches/ms-playwright'),
    join(home, 'AppData/Local/ms-playwright'),
  ];
  return folders.filter((folder) => existsSync(folder));
}
