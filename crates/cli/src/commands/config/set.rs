//! `volt config set`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::Problem;
use volt_api::operations::ConfigSetOp;
use volt_api::types::{ConfigKey, ConfigSet};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  sudo volt config set container.network host
  sudo volt config set daemon.idle_seconds = 300
  sudo volt config set container.dns += 9.9.9.9
  sudo volt config set container.dns -= 9.9.9.9";

/// Change one key of the configuration
///
/// = sets it and is meant where nothing is said; += and -= add to a list or number and take from it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The key, with dots
    #[arg(add = ArgValueCompleter::new(complete::config_keys))]
    key: String,
    /// The value, with =, += or -= before it where wanted
    #[arg(value_name = "VALUE", num_args = 0..=2, allow_hyphen_values = true)]
    value: Vec<String>,
}

/// Changes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let (key, set) = parse(args.key, &args.value)?;
    let value = ctx.call::<ConfigSetOp>(&ConfigKey { key }, &set).await?;
    Ok(views::system::config_value(&value))
}

/// `KEY VALUE`, `KEY OPERATOR VALUE`, or all of that in one word.
fn parse(key: String, words: &[String]) -> Result<(String, ConfigSet), Problem> {
    if words.is_empty() {
        let named = |(before, _): &(&str, &str)| !before.trim_end_matches(['+', '-']).is_empty();
        let Some((before, value)) = key.split_once('=').filter(named) else {
            return Err(Problem::new(ErrorKind::Usage, format!("There is no value for {key}"))
                .hinted(format!("Write: volt config set {key} VALUE")));
        };
        let of = |sign| before.strip_suffix(sign);
        let (key, operator) = match (of('+'), of('-')) {
            (Some(key), _) => (key, "+="),
            (_, Some(key)) => (key, "-="),
            _ => (before, "="),
        };
        let set = ConfigSet { operator: operator.to_owned(), value: value.trim().to_owned() };
        return Ok((key.trim().to_owned(), set));
    }
    let (operator, value) = match words {
        [value] => ("=", value),
        [operator, value] if matches!(operator.as_str(), "=" | "+=" | "-=") => {
            (operator.as_str(), value)
        }
        _ => {
            let title = "Between key and value stands =, += or -=";
            return Err(Problem::new(ErrorKind::Usage, title));
        }
    };
    Ok((key, ConfigSet { operator: operator.to_owned(), value: value.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators() {
        for (words, operator, value) in [
            (&["host"][..], "=", "host"),
            (&["=", "host"], "=", "host"),
            (&["+=", "9.9.9.9"], "+=", "9.9.9.9"),
            (&["-=", "9.9.9.9"], "-=", "9.9.9.9"),
            (&[""], "=", ""),
        ] {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            let (_, set) = parse("k".into(), &words).unwrap();
            assert_eq!((set.operator.as_str(), set.value.as_str()), (operator, value));
        }
        assert!(parse("k".into(), &["*=".into(), "x".into()]).is_err());
        assert!(parse("k".into(), &[]).unwrap_err().to_string().contains("no value for k"));
        for (word, operator, value) in
            [("k=a+=b", "=", "a+=b"), ("k+=9.9.9.9", "+=", "9.9.9.9"), ("k -= x", "-=", "x")]
        {
            let (key, set) = parse(word.into(), &[]).unwrap();
            let found = (key.as_str(), set.operator.as_str(), set.value.as_str());
            assert_eq!(found, ("k", operator, value));
        }
    }
}
