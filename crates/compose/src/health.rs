//! Health checks of stacks in the words of the engine.

use crate::stack::{Check, Health, OnUnhealthy};
use std::time::Duration;
use volt_model::health::{self, CheckError, Command, Http, Span, Wanted};

/// What `container create` would be told of a check; what is not said is the image's.
///
/// # Errors
/// Why it can be no check.
pub fn wanted(health: &Health) -> Result<Wanted, String> {
    let span = |time: Option<Duration>| time.map(Span);
    let mut wanted = Wanted {
        interval: span(health.interval),
        timeout: span(health.timeout),
        retries: health.retries,
        start_period: span(health.start_period),
        start_interval: span(health.start_interval),
        on_unhealthy: match health.on_unhealthy {
            OnUnhealthy::None => None,
            OnUnhealthy::Restart => Some(health::OnUnhealthy::Restart),
            OnUnhealthy::Stop => Some(health::OnUnhealthy::Stop),
        },
        ..Wanted::default()
    };
    match &health.check {
        // Beside this nothing else has a meaning.
        Some(Check::None) => return Ok(Wanted { none: true, ..Wanted::default() }),
        Some(Check::Exec(words)) => wanted.exec = Some(Command(words.clone())),
        Some(Check::Shell(line)) => wanted.exec = Some(Command::of_shell(line)),
        Some(Check::Http(to)) => wanted.http = Some(http(to).ok_or_else(|| not(to, "80/path"))?),
        Some(Check::Tcp(to)) => wanted.tcp = Some(tcp(to).ok_or_else(|| not(to, "5432"))?),
        None => {}
    }
    let of_image = health::Check::by(health::Probe::Tcp(1));
    let checked = wanted.clone().over(Some(&of_image));
    checked.map(|_| wanted).map_err(|error: CheckError| error.to_string())
}

fn not(text: &str, such: &str) -> String {
    format!("`{text}` names no port, as in `{such}`")
}

/// `PORT`, `PORT/PATH` or a URL, whose host is the container whatever it is called.
fn http(text: &str) -> Option<Http> {
    let (place, usual) = match text.strip_prefix("http://") {
        Some(place) => (place, Some(80)),
        None => (text, None),
    };
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let port = match (authority.rsplit_once(':'), usual) {
        (Some((_, port)), _) => port.parse().ok()?,
        (None, Some(usual)) => usual,
        (None, None) => authority.parse().ok()?,
    };
    let (status, headers) = Default::default();
    Some(Http { port, path: format!("/{path}"), status, headers })
}

/// `PORT` or `HOST:PORT`.
fn tcp(text: &str) -> Option<u16> {
    text.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for() {
        let of = |check| wanted(&Health { check: Some(check), ..Health::default() });
        let asked = |text: &str| {
            let http = of(Check::Http(text.into())).map(|wanted| wanted.http.unwrap());
            http.map(|http| (http.port, http.path))
        };
        assert_eq!(asked("80"), Ok((80, "/".into())));
        assert_eq!(asked("8080/a/b?c"), Ok((8080, "/a/b?c".into())));
        assert_eq!(asked("http://localhost:81/x"), Ok((81, "/x".into())));
        assert_eq!(asked("http://localhost"), Ok((80, "/".into())));
        assert!(asked("x/y").unwrap_err().contains("names no port"));
        assert_eq!(of(Check::Tcp("db:5432".into())).unwrap().tcp, Some(5432));
        assert!(of(Check::None).unwrap().none);
        let shell = of(Check::Shell("a | b".into())).unwrap().exec.unwrap();
        assert_eq!(shell.0, ["/bin/sh", "-c", "a | b"]);
        let often = Health { interval: Some(Duration::from_nanos(1)), ..Health::default() };
        assert!(wanted(&often).unwrap_err().contains("interval"));
    }
}
