//! How values look to people: times, sizes, texts of others, keys with their values.

use super::style::{Tone, paint};
use super::table::Columns;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use volt_model::size::Bytes;
use volt_model::time::{human_span, on_the_clock};

/// A point in time as `3 minutes ago`; as it is where it can't be read.
pub(crate) fn ago(time: &str) -> String {
    ago_at(time, Timestamp::now())
}

fn ago_at(time: &str, now: Timestamp) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return clean(time) };
    match std::time::Duration::try_from(now.duration_since(then)) {
        Ok(span) => format!("{} ago", human_span(span)),
        Err(_) => "just now".to_owned(),
    }
}

/// A point in time on the clock of whoever looks; as it is where it can't be read.
pub(crate) fn when(time: &str) -> String {
    when_in(time, TimeZone::system())
}

fn when_in(time: &str, zone: TimeZone) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return clean(time) };
    then.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The other way round: what tables show, with the zone in which it is meant, which a server elsewhere may not be in.
pub(crate) fn point(text: &str) -> String {
    on_the_clock(text).map_or_else(|| text.to_owned(), |point| point.to_string())
}

/// A point in time with milliseconds, on the clock of whoever looks.
pub(crate) fn exactly_when(time: &str) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return clean(time) };
    then.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// The same with how long ago that is.
pub(crate) fn when_and_ago(time: &str) -> String {
    format!("{} ({})", when(time), ago(time))
}

/// Bytes as `512M`.
pub(crate) fn size(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

/// Bytes as `512M`, or a dash where they are not known.
pub(crate) fn size_or_dash(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), size)
}

/// Per cent with one decimal, or a dash.
pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |p| format!("{p:.1}%"))
}

/// The text, or a dash where there is none.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.filter(|t| !t.is_empty()).unwrap_or("-").to_owned()
}

/// The text cut to `width` characters.
pub(crate) fn short(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The text with every control character shown in place of carried out.
pub(crate) fn clean(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Keys and values in sections.
#[derive(Debug, Default)]
pub(crate) struct Details {
    sections: Vec<(String, Vec<(String, String)>)>,
    /// Shown with `-o wide` only.
    wide: Option<(String, Vec<(String, String)>)>,
}

impl Details {
    /// Sections that begin with the thing's own.
    pub(crate) fn new() -> Self {
        Self { sections: vec![(String::new(), Vec::new())], wide: None }
    }

    /// Begins a section with a title.
    pub(crate) fn section(mut self, title: &str) -> Self {
        self.sections.push((title.to_owned(), Vec::new()));
        self
    }

    /// A last section, for those who want to see it all.
    pub(crate) fn wide(self, title: &str, rows: impl Iterator<Item = (String, String)>) -> Self {
        Self { wide: Some((title.to_owned(), rows.collect())), ..self }
    }

    /// A key with its value.
    pub(crate) fn row(mut self, key: &str, value: impl Into<String>) -> Self {
        if let Some((_, rows)) = self.sections.last_mut() {
            rows.push((key.to_owned(), value.into()));
        }
        self
    }

    /// A key with its value, where it has one.
    pub(crate) fn some(self, key: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.row(key, value),
            None => self,
        }
    }

    /// A key with several values, a line for each, where it has any.
    pub(crate) fn each(mut self, key: &str, values: &[String]) -> Self {
        for (i, value) in values.iter().enumerate() {
            self = self.row(if i == 0 { key } else { "" }, value);
        }
        self
    }

    /// Puts all of `other` behind this.
    pub(crate) fn append(&mut self, other: Self) {
        self.sections.extend(other.sections);
    }

    /// As text: the keys of a section aligned, sections without rows left out.
    pub(crate) fn render(&self, columns: Columns, color: bool) -> String {
        let mut out = String::new();
        let wide = self.wide.iter().filter(|_| columns == Columns::All);
        for (title, rows) in self.sections.iter().chain(wide).filter(|(_, rows)| !rows.is_empty()) {
            if !out.is_empty() {
                out.push('\n');
            }
            if !title.is_empty() {
                out.push_str(&format!("{}\n", paint(color, Tone::Strong, &clean(title))));
            }
            let width = rows.iter().map(|(key, _)| key.chars().count() + 1).max().unwrap_or(0);
            let indent = if title.is_empty() { "" } else { "  " };
            for (key, value) in rows {
                let key = if key.is_empty() { String::new() } else { format!("{}:", clean(key)) };
                let tone = if key == "State:" { Tone::of_state(value) } else { Tone::Plain };
                let value = paint(color, tone, &clean(value));
                out.push_str(&format!("{indent}{key:<width$}  {value}\n"));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        for (time, text) in [
            ("2026-01-01T23:57:00Z", "3 minutes ago"),
            ("2026-01-01T23:59:59.5Z", "0 seconds ago"),
            ("2026-01-02T00:00:05Z", "just now"),
            ("whenever", "whenever"),
        ] {
            assert_eq!(ago_at(time, now), text);
        }
    }

    #[test]
    fn a_time_is_that_of_the_clock_on_the_wall() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let time = "2026-01-01T23:57:00.123456789Z";
        assert_eq!(when_in(time, zone.clone()), "2026-01-02 01:57:00");
        assert_eq!(when_in("whenever", zone), "whenever");
        let shown = when(time);
        assert_eq!(when(&point(&shown)), shown);
        assert_eq!((point("10m"), point(time)), ("10m".to_owned(), time.to_owned()));
    }

    #[test]
    fn what_is_wide_is_shown_on_demand() {
        let rows = [("Type".to_owned(), "notify".to_owned())].into_iter();
        let details = Details::new().row("Name", "web").wide("systemd", rows);
        assert_eq!(details.render(Columns::Usual, false), "Name:  web\n");
        let all = "Name:  web\n\nsystemd\n  Type:  notify\n";
        assert_eq!(details.render(Columns::All, false), all);
    }

    #[test]
    fn details_are_aligned() {
        let details = Details::new()
            .row("Name", "web")
            .row("Image", "debian\x1b[2J")
            .section("Mounts")
            .section("Limits")
            .row("Memory", "512M")
            .each("Device", &["a".into(), "b".into()]);
        assert_eq!(
            details.render(Columns::Usual, false),
            "Name:   web\nImage:  debian\u{fffd}[2J\n\nLimits\n  Memory:  512M\n  Device:  a\n           b\n"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(short("abcd", 4), "abcd");
        assert_eq!(percent(Some(12.34)), "12.3%");
        assert_eq!(or_dash(Some("")), "-");
        assert_eq!(size_or_dash(Some(1024)), "1K");
    }
}
