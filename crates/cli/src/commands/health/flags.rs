//! How checks are said: the flags of `container create` and `run`, and the words that `health configure` has of them too.

use clap::Args;
use volt_api::types::{HealthCheck, HealthHttp};
use volt_model::health::{OnUnhealthy, Span, StatusRange};

/// Parses by a type of the model and keeps the text, which is what travels.
pub(crate) fn checked<T: std::str::FromStr>(text: &str) -> Result<String, T::Err> {
    text.parse::<T>().map(|_| text.to_owned())
}

/// `PORT[/PATH]`.
pub(crate) fn page(text: &str) -> Result<HealthHttp, String> {
    let (port, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let wrong = || format!("`{text}` is no page: write PORT/PATH, such as 8080/healthz");
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let path = Some(path.to_owned()).filter(|path| !path.is_empty());
    Ok(HealthHttp { port, path, ..HealthHttp::default() })
}

/// The command that a text is for the container's shell.
pub(crate) fn shell(text: String) -> Vec<String> {
    volt_model::health::Command::of_shell(text).0
}

/// Health checks of a new container.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Health")]
pub(crate) struct HealthFlags {
    /// Run this in its shell, and take it for healthy where that ends with 0
    #[arg(long, value_name = "COMMAND", group = "probe")]
    health_cmd: Option<String>,
    /// Ask for this web page
    #[arg(long, value_name = "PORT[/PATH]", value_parser = page, group = "probe")]
    health_http: Option<HealthHttp>,
    /// The codes that are good [default: 200-399]
    #[arg(long, value_name = "CODE[-CODE]", value_parser = checked::<StatusRange>, requires = "health_http", value_delimiter = ',')]
    health_status: Vec<String>,
    /// Connect to this port
    #[arg(long, value_name = "PORT", group = "probe", value_parser = clap::value_parser!(u16).range(1..))]
    health_tcp: Option<u16>,
    /// Time between two looks [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    health_interval: Option<String>,
    /// Time after which a look has failed [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    health_timeout: Option<String>,
    /// Failures in a row that make it unhealthy [default: 3]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    health_retries: Option<u32>,
    /// How long failures don't count after a start [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    health_start_period: Option<String>,
    /// Time between two looks until the first success [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = checked::<Span>)]
    health_start_interval: Option<String>,
    /// What to do of it when it is unhealthy: none, restart or stop
    #[arg(long, value_name = "WHAT", value_parser = checked::<OnUnhealthy>)]
    on_unhealthy: Option<String>,
    /// Look at nothing, whatever the image says
    #[arg(long, group = "probe", conflicts_with_all = ["health_interval", "health_timeout", "health_retries", "health_start_period", "health_start_interval", "on_unhealthy"])]
    no_healthcheck: bool,
}

impl HealthFlags {
    /// What is asked for, as it travels; nothing where nothing is said.
    pub(crate) fn check(self) -> Option<HealthCheck> {
        let status = self.health_status;
        let check = HealthCheck {
            none: self.no_healthcheck,
            http: self.health_http.map(|http| HealthHttp { status, ..http }),
            tcp: self.health_tcp,
            exec: self.health_cmd.map(shell),
            interval: self.health_interval,
            timeout: self.health_timeout,
            retries: self.health_retries,
            start_period: self.health_start_period,
            start_interval: self.health_start_interval,
            on_unhealthy: self.on_unhealthy,
        };
        Some(check).filter(|check| *check != HealthCheck::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        for (text, port, path) in
            [("80", 80, None), ("80/", 80, Some("/")), ("8080/a/b?c=d", 8080, Some("/a/b?c=d"))]
        {
            let page = page(text).unwrap();
            assert_eq!((page.port, page.path.as_deref()), (port, path), "{text}");
        }
        for bad in ["", "/", "0/", "x", "80x", "70000", "-1/"] {
            assert!(page(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn nothing_said_is_nothing_asked() {
        assert_eq!(HealthFlags::default().check(), None);
        let flags = HealthFlags { health_cmd: Some("a b".into()), ..HealthFlags::default() };
        assert_eq!(flags.check().unwrap().exec.unwrap(), ["/bin/sh", "-c", "a b"]);
    }
}
