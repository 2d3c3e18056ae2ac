/** Parts of dates, in UTC or in a fixed offset (`'+02:00'`). Null or missing gives null. */
import { wrongOperand } from '../pipeline-errors.ts';
import { isMissing, isPlainObject, typeName } from '../values.ts';
import { mustNumber, mustText, named, type Operator, type Operators, unary } from './operator.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A part of a date, which is given bare or as `{ date, timezone }`. */
const part = (read: (date: Date) => number): Operator => {
  const ofZone = named(['date'], ['timezone'], ({ date, timezone }, path) => {
    const local = inZone(date, timezone, path);
    return local === null ? null : read(local);
  });
  const bare = unary((value, path) => {
    const date = inZone(value, undefined, path);
    return date === null ? null : read(date);
  });
  return (operand, path, compiler) =>
    (isPlainObject(operand) && 'date' in operand ? ofZone : bare)(operand, path, compiler);
};

/** A date whose UTC parts are those of the zone. */
function inZone(value: unknown, timezone: unknown, path: string): Date | null {
  if (isMissing(value) || timezone === null) return null;
  const date = mustDate(value, path);
  return timezone === undefined ? date : new Date(date.getTime() + offsetMs(timezone, path));
}

function mustDate(value: unknown, path: string): Date {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value;
  throw wrongOperand(path, `needs a date, met ${value instanceof Date ? 'an invalid one' : typeName(value)}`);
}

function offsetMs(timezone: unknown, path: string): number {
  const text = mustText(timezone, path);
  if (['UTC', 'GMT', 'Z'].includes(text)) return 0;
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text) ?? [];
  if (sign === undefined) throw wrongOperand(path, `knows zones as an offset like '+02:00', not '${text}'`);
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
}

const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;
const isoDayOfWeek = (date: Date): number => date.getUTCDay() || 7;
/** Weeks that begin on Sunday; days before the first Sunday are in week 0. */
const week = (date: Date): number => Math.floor((dayOfYear(date) + 6 - date.getUTCDay()) / 7);

/** The Thursday of a week decides to which year and week it belongs. */
const thursdayOf = (date: Date): Date => new Date(date.getTime() + (4 - isoDayOfWeek(date)) * DAY_MS);
const isoWeek = (date: Date): number => Math.ceil(dayOfYear(thursdayOf(date)) / 7);
const isoWeekYear = (date: Date): number => thursdayOf(date).getUTCFullYear();

const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');

const FORMATS: Readonly<Record<string, (date: Date, offset: string) => string>> = {
  '%Y': (date) => pad(date.getUTCFullYear(), 4),
  '%G': (date) => pad(isoWeekYear(date), 4),
  '%m': (date) => pad(date.getUTCMonth() + 1, 2),
  '%d': (date) => pad(date.getUTCDate(), 2),
  '%j': (date) => pad(dayOfYear(date), 3),
  '%H': (date) => pad(date.getUTCHours(), 2),
  '%M': (date) => pad(date.getUTCMinutes(), 2),
  '%S': (date) => pad(date.getUTCSeconds(), 2),
  '%L': (date) => pad(date.getUTCMilliseconds(), 3),
  '%w': (date) => String(date.getUTCDay() + 1),
  '%u': (date) => String(isoDayOfWeek(date)),
  '%U': (date) => pad(week(date), 2),
  '%V': (date) => pad(isoWeek(date), 2),
  '%z': (_, offset) => offset,
  '%%': () => '%',
};

const dateToString = named(
  ['date'],
  ['format', 'timezone', 'onNull'],
  ({ date, format = '%Y-%m-%dT%H:%M:%S.%LZ', timezone, onNull = null }, path) => {
    const local = inZone(date, timezone, path);
    if (local === null || format === null) return onNull;
    const minutes = timezone === undefined ? 0 : offsetMs(timezone, path) / MINUTE_MS;
    const offset = `${minutes < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(minutes) / 60), 2)}${pad(Math.abs(minutes) % 60, 2)}`;
    return mustText(format, path).replace(/%.?/gs, (mark) => {
      const write = FORMATS[mark];
      if (write === undefined) throw wrongOperand(path, `knows no ${mark} in a format`);
      return write(local, offset);
    });
  },
);

const UNITS_MS: Readonly<Record<string, number>> = {
  week: 7 * DAY_MS,
  day: DAY_MS,
  hour: HOUR_MS,
  minute: MINUTE_MS,
  second: 1_000,
  millisecond: 1,
};
const UNITS_MONTHS: Readonly<Record<string, number>> = { year: 12, quarter: 3, month: 1 };

/** Months keep the day where they can, else they end on their last. */
const shifted = (direction: 1 | -1): Operator =>
  named(['startDate', 'unit', 'amount'], [], ({ startDate, unit, amount }, path) => {
    if (isMissing(startDate) || isMissing(unit) || isMissing(amount)) return null;
    const date = mustDate(startDate, path);
    const name = mustText(unit, path);
    const count = mustNumber(amount, path) * direction;
    if (Object.hasOwn(UNITS_MS, name)) return new Date(date.getTime() + count * UNITS_MS[name]!);
    if (!Object.hasOwn(UNITS_MONTHS, name)) throw wrongOperand(path, `knows no unit '${name}'`);
    const moved = new Date(date);
    moved.setUTCDate(1);
    moved.setUTCMonth(moved.getUTCMonth() + count * UNITS_MONTHS[name]!);
    const last = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0)).getUTCDate();
    moved.setUTCDate(Math.min(date.getUTCDate(), last));
    return moved;
  });

export const DATES: Operators = {
  $dateAdd: shifted(1),
  $dateSubtract: shifted(-1),
  $dateToString: dateToString,
  $dayOfMonth: part((date) => date.getUTCDate()),
  $dayOfWeek: part((date) => date.getUTCDay() + 1),
  $dayOfYear: part(dayOfYear),
  $hour: part((date) => date.getUTCHours()),
  $isoDayOfWeek: part(isoDayOfWeek),
  $isoWeek: part(isoWeek),
  $isoWeekYear: part(isoWeekYear),
  $millisecond: part((date) => date.getUTCMilliseconds()),
  $minute: part((date) => date.getUTCMinutes()),
  $month: part((date) => date.getUTCMonth() + 1),
  $second: part((date) => date.getUTCSeconds()),
  $week: part(week),
  $year: part((date) => date.getUTCFullYear()),
};
