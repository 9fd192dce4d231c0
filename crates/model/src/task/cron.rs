//! The five fields of `crontab(5)`, and the calendar expressions of systemd that mean the same. Pure.
//!
//! As Vixie's cron has it: where both the day of the month and that of the week are narrowed, either of them suffices; a field that
//! begins with `*` narrows nothing in this sense.

use std::fmt::Write as _;
use std::str::FromStr;

/// A line of a crontab without its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values that a field allows, and whether it begins with `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    values: u64,
    star: bool,
    first: u32,
    last: u32,
}

/// A text that is no line of a crontab.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CronError {
    /// Another number of fields.
    #[error(
        "`{0}` does not have the five fields of a crontab: minute hour day month weekday, such as `*/5 * * * *`"
    )]
    Fields(String),
    /// A field that says nothing, or too much.
    #[error("`{text}` is no {field} of a crontab: {first} to {last}, with , - / and *")]
    Field {
        /// What was written.
        text: String,
        /// What it should be.
        field: &'static str,
        /// The least value.
        first: u32,
        /// The greatest.
        last: u32,
    },
    /// A word for what no calendar knows.
    #[error("`@reboot` is no time: a service that is enabled starts at boot")]
    Reboot,
}

/// What a field is called, its least and greatest value, and words for values from the least on.
struct Kind {
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const KINDS: [Kind; 5] = [
    Kind { name: "minute", first: 0, last: 59, words: &[] },
    Kind { name: "hour", first: 0, last: 23, words: &[] },
    Kind { name: "day of the month", first: 1, last: 31, words: &[] },
    Kind { name: "month", first: 1, last: 12, words: &MONTHS },
    Kind { name: "day of the week", first: 0, last: 7, words: &WEEKDAYS },
];

/// Words for whole lines.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        if text == "@reboot" {
            return Err(CronError::Reboot);
        }
        let text = NICKNAMES.iter().find(|(name, _)| *name == text).map_or(text, |(_, line)| line);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = words[..] else {
            return Err(CronError::Fields(text.chars().take(60).collect()));
        };
        let mut weekdays = field(weekdays, &KINDS[4])?;
        // Both 0 and 7 are Sunday.
        weekdays.values |= weekdays.values >> 7;
        weekdays.values &= 0x7f;
        weekdays.last = 6;
        Ok(Self {
            minutes: field(minutes, &KINDS[0])?,
            hours: field(hours, &KINDS[1])?,
            days: field(days, &KINDS[2])?,
            months: field(months, &KINDS[3])?,
            weekdays,
        })
    }
}

fn field(text: &str, kind: &Kind) -> Result<Field, CronError> {
    let wrong = || CronError::Field {
        text: text.chars().take(60).collect(),
        field: kind.name,
        first: kind.first,
        last: kind.last,
    };
    let mut values = 0_u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, Some(number(step).filter(|n| *n > 0).ok_or_else(wrong)?))
            }
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (kind.first, if kind.last == 7 { 6 } else { kind.last }),
            Some((from, to)) => {
                (value(from, kind).ok_or_else(wrong)?, value(to, kind).ok_or_else(wrong)?)
            }
            // A step without an end goes on to the greatest.
            None => {
                let from = value(range, kind).ok_or_else(wrong)?;
                (from, if step.is_some() { kind.last } else { from })
            }
        };
        if from > to {
            return Err(wrong());
        }
        let mut at = from;
        while at <= to {
            values |= 1 << at;
            at += step.unwrap_or(1);
        }
    }
    Ok(Field { values, star: text.starts_with('*'), first: kind.first, last: kind.last })
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() < 4 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn value(text: &str, kind: &Kind) -> Option<u32> {
    let word = text.to_ascii_lowercase();
    let named = kind.words.iter().position(|name| *name == word);
    let value = match named {
        Some(at) => kind.first + u32::try_from(at).ok()?,
        None => number(text)?,
    };
    (kind.first..=kind.last).contains(&value).then_some(value)
}

impl Field {
    fn has(self, value: u32) -> bool {
        self.values >> value & 1 == 1
    }

    fn is_all(self) -> bool {
        (self.first..=self.last).all(|value| self.has(value))
    }

    /// The values as a component of a calendar expression: `*`, `FIRST/STEP`, or values and ranges.
    fn component(self) -> String {
        if self.is_all() {
            return "*".to_owned();
        }
        let values: Vec<u32> = (self.first..=self.last).filter(|value| self.has(*value)).collect();
        if let [first, second, _, ..] = values[..]
            && second - first > 1
            && values.windows(2).all(|pair| pair[1] - pair[0] == second - first)
            && values.last().is_some_and(|last| last + (second - first) > self.last)
        {
            return format!("{first}/{}", second - first);
        }
        self.runs(|value| format!("{value:02}"))
    }

    /// The values as `a,b..c`.
    fn runs(self, name: impl Fn(u32) -> String) -> String {
        let mut out = String::new();
        let mut value = self.first;
        while value <= self.last {
            if !self.has(value) {
                value += 1;
                continue;
            }
            let end = (value..=self.last).take_while(|v| self.has(*v)).last().unwrap_or(value);
            let comma = if out.is_empty() { "" } else { "," };
            let _ = match end - value {
                0 => write!(out, "{comma}{}", name(value)),
                1 => write!(out, "{comma}{},{}", name(value), name(end)),
                _ => write!(out, "{comma}{}..{}", name(value), name(end)),
            };
            value = end + 1;
        }
        out
    }
}

impl Cron {
    /// The calendar expressions that mean the same, each an alternative.
    #[must_use]
    pub fn calendar(&self) -> Vec<String> {
        let either = !self.days.star
            && !self.weekdays.star
            && !self.days.is_all()
            && !self.weekdays.is_all();
        let (all_days, all_weekdays) = (self.days.of_all(), self.weekdays.of_all());
        match either {
            true => vec![
                self.expression(self.days, all_weekdays),
                self.expression(all_days, self.weekdays),
            ],
            // Where one of the two is all days and was not written as a star, every day is meant.
            false if !self.days.star && !self.weekdays.star => {
                vec![self.expression(all_days, all_weekdays)]
            }
            false => vec![self.expression(self.days, self.weekdays)],
        }
    }

    fn expression(&self, days: Field, weekdays: Field) -> String {
        let mut out = String::new();
        if !weekdays.is_all() {
            let day = |value: u32| {
                let word = WEEKDAYS[value as usize];
                format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])
            };
            // systemd's week begins on Monday, so a run from Sunday would go backwards.
            let monday = Field { first: 1, ..weekdays };
            let mut names = monday.runs(day);
            if weekdays.has(0) {
                let comma = if names.is_empty() { "" } else { "," };
                names.push_str(comma);
                names.push_str(&day(0));
            }
            let _ = write!(out, "{names} ");
        }
        let _ = write!(
            out,
            "*-{}-{} {}:{}:00",
            self.months.component(),
            days.component(),
            self.hours.component(),
            self.minutes.component()
        );
        out
    }
}

impl Field {
    fn of_all(self) -> Self {
        Self { values: u64::MAX, star: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calendar(line: &str) -> String {
        line.parse::<Cron>().unwrap().calendar().join(" | ")
    }

    #[test]
    fn lines_of_a_crontab() {
        for (line, expected) in [
            ("*/5 * * * *", "*-*-* *:0/5:00"),
            ("0 3 * * *", "*-*-* 03:00:00"),
            ("30 4 1,15 * *", "*-*-01,15 04:30:00"),
            ("0 9-17 * * 1-5", "Mon..Fri *-*-* 09..17:00:00"),
            ("0 0 13 * fri", "*-*-13 00:00:00 | Fri *-*-* 00:00:00"),
            ("0 0 */2 * 1", "Mon *-*-1/2 00:00:00"),
            ("5/20 1 * JAN-mar 7", "Sun *-01..03-* 01:5/20:00"),
            ("0 0 * * 0,6", "Sat,Sun *-*-* 00:00:00"),
            ("0 0 1-31 * 1", "*-*-* 00:00:00"),
            ("@hourly", "*-*-* *:00:00"),
            ("@weekly", "Sun *-*-* 00:00:00"),
        ] {
            assert_eq!(calendar(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_crontab() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "1,,2 * * * *",
            "*-5 * * * *",
            "@reboot",
            "@often",
        ] {
            assert!(bad.parse::<Cron>().is_err(), "{bad:?} was taken");
        }
    }

    /// Whether a component of a calendar expression has a value.
    fn component_has(text: &str, value: u32, last: u32) -> bool {
        text.split(',').any(|part| {
            if part == "*" {
                return true;
            }
            if let Some((from, step)) = part.split_once('/') {
                let (from, step): (u32, u32) = (from.parse().unwrap(), step.parse().unwrap());
                return value >= from && value <= last && (value - from).is_multiple_of(step);
            }
            let (from, to) = part.split_once("..").unwrap_or((part, part));
            (from.parse::<u32>().unwrap()..=to.parse().unwrap()).contains(&value)
        })
    }

    /// Whether a calendar expression holds at `[minute, hour, day, month, weekday]`.
    fn holds(expression: &str, at: [u32; 5]) -> bool {
        let words: Vec<&str> = expression.split(' ').collect();
        let (weekdays, date, time) = match words[..] {
            [weekdays, date, time] => (Some(weekdays), date, time),
            [date, time] => (None, date, time),
            _ => panic!("{expression}"),
        };
        let order = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let place = |name: &str| order.iter().position(|day| *day == name).unwrap();
        let today = place(order[(at[4] as usize + 6) % 7]);
        let weekday = weekdays.is_none_or(|all| {
            all.split(',').any(|part| {
                let (from, to) = part.split_once("..").unwrap_or((part, part));
                (place(from)..=place(to)).contains(&today)
            })
        });
        let (month, day) = date.strip_prefix("*-").unwrap().split_once('-').unwrap();
        let (hour, rest) = time.split_once(':').unwrap();
        let (minute, second) = rest.split_once(':').unwrap();
        assert_eq!(second, "00");
        weekday
            && component_has(month, at[3], 12)
            && component_has(day, at[2], 31)
            && component_has(hour, at[1], 23)
            && component_has(minute, at[0], 59)
    }

    /// Whether cron would start it: read anew from its text, field by field.
    fn cron_holds(line: &str, at: [u32; 5]) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let one = |i: usize, value: u32| {
            let kind = &KINDS[i];
            words[i].split(',').any(|part| {
                let (range, step) = part.split_once('/').unwrap_or((part, "1"));
                let step: u32 = step.parse().unwrap();
                let (from, to) = match range.split_once('-') {
                    _ if range == "*" => (kind.first, kind.last),
                    Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
                    None if part.contains('/') => (range.parse().unwrap(), kind.last),
                    None => (range.parse().unwrap(), range.parse().unwrap()),
                };
                (from..=to).contains(&value) && (value - from).is_multiple_of(step)
            })
        };
        let weekday = one(4, at[4])
            || (at[4] == 0 && one(4, 7) && words[4] != "*" && !words[4].starts_with("*/"));
        let day = one(2, at[2]);
        let days = if words[2].starts_with('*') || words[4].starts_with('*') {
            day && weekday
        } else {
            day || weekday
        };
        one(0, at[0]) && one(1, at[1]) && one(3, at[3]) && days
    }

    fn a_field(first: u32, last: u32) -> impl Strategy<Value = String> {
        let value = first..=last;
        prop_oneof![
            Just("*".to_owned()),
            (1..=9_u32).prop_map(|step| format!("*/{step}")),
            prop::collection::vec(value.clone(), 1..4).prop_map(|all| {
                all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            }),
            (value.clone(), value.clone(), 1..=9_u32)
                .prop_map(|(a, b, step)| { format!("{}-{}/{step}", a.min(b), a.max(b)) }),
            (value, 1..=9_u32).prop_map(|(from, step)| format!("{from}/{step}")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn the_calendar_means_what_cron_means(
            fields in (a_field(0, 59), a_field(0, 23), a_field(1, 31), a_field(1, 12), a_field(0, 7)),
            times in prop::collection::vec((0..60_u32, 0..24_u32, 1..32_u32, 1..13_u32, 0..7_u32), 50),
        ) {
            let line = format!("{} {} {} {} {}", fields.0, fields.1, fields.2, fields.3, fields.4);
            let calendar = line.parse::<Cron>().unwrap().calendar();
            for (minute, hour, day, month, weekday) in times {
                let at = [minute, hour, day, month, weekday];
                let systemd = calendar.iter().any(|expression| holds(expression, at));
                prop_assert_eq!(systemd, cron_holds(&line, at), "{} {:?} {:?}", line, calendar, at);
            }
        }

        #[test]
        fn no_text_panics(text in "[-*/,0-9a-z@ ]{0,40}|.{0,40}") {
            if let Ok(cron) = text.parse::<Cron>() {
                prop_assert!(!cron.calendar().is_empty());
            }
        }
    }
}
